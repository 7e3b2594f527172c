import assert from "node:assert/strict";
import { test } from "node:test";
import { clockText } from "../../../../../pipeline/commands/web/pages/durations.js";
import { Phone } from "../../../../../pipeline/commands/web/pages/fleet.js";
import { sinceWords, sureWords } from "../../../../../pipeline/commands/web/pages/phone_words.js";

function phoneWith(patch) {
  const phone = new Phone("a");
  phone.apply({ activity: { activity: "A", since: 900, probability: 0.97 }, ...patch }, 1000);
  return phone;
}

test("an activity counts on while its phone is online", () => {
  const phone = phoneWith({ ribbon: [[900, 990, "A", 1]] });
  assert.equal(sinceWords(phone, 1000), "for 1 min 40 s");
  assert.equal(sureWords(phone), "97 % sure");
});

test("the activity of a phone that is offline ends with its last window", () => {
  const phone = phoneWith({ ribbon: [[900, 917, "A", 1]], availability: "offline" });
  assert.equal(sinceWords(phone, 1000), `for 17 s, until ${clockText(917, 1000)}`);
});

test("of a phone of which no window came, only the beginning is known", () => {
  const phone = phoneWith({ ribbon: [[900, 900, "A", 1]], availability: "offline" });
  assert.equal(sinceWords(phone, 1000), `last known from ${clockText(900, 1000)}`);
});

test("nobody is sure of what is unknown", () => {
  const phone = phoneWith({});
  phone.apply({ activity: { activity: "unknown", since: 950, probability: 1 } }, 1000);
  assert.equal(sureWords(phone), "");
  assert.equal(sureWords(new Phone("b")), "");
  assert.equal(sinceWords(new Phone("b"), 1000), "no activity yet");
});
