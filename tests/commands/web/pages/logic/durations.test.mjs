import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clockText, countText, durationText, latencyText, percentText, rateText,
} from "../../../../../pipeline/commands/web/pages/durations.js";

test("a duration has the two units that matter", () => {
  const texts = [0, 12.9, 184, 7530, 90_000, 200_000, -3, NaN].map(durationText);
  assert.deepEqual(texts, [
    "0 s", "12 s", "3 min 04 s", "2 h 05 min", "1 day", "2 days", "0 s", "unknown",
  ]);
});

test("a time of another day has its date", () => {
  const noon = new Date(2024, 4, 17, 12, 3, 7).getTime() / 1000;
  assert.equal(clockText(noon, noon + 60), "12:03:07");
  assert.equal(clockText(noon, noon + 86_400), "2024-05-17 12:03:07");
});

test("a probability is 100 % only if it is all but certain", () => {
  assert.deepEqual([0.004, 0.5, 0.996, 0.9996, NaN].map(percentText),
    ["0 %", "50 %", "99 %", "100 %", "–"]);
});

test("rates, delays and counts have their units", () => {
  assert.deepEqual([rateText(49.8), rateText(4.94), rateText(null)], ["50 Hz", "4.9 Hz", "–"]);
  assert.deepEqual([latencyText(0.0113), latencyText(1.26)], ["11 ms", "1.3 s"]);
  assert.deepEqual([countText(1, "phone"), countText(1500, "phone")], ["1 phone", "1,500 phones"]);
});
