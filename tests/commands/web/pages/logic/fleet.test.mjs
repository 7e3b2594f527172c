import assert from "node:assert/strict";
import { test } from "node:test";
import { Fleet } from "../../../../../pipeline/commands/web/pages/fleet.js";

const update = (phones, more = {}) => ({ type: "update", now: 1000, phones, ...more });

test("a patch changes what it names, and nothing else", () => {
  const fleet = new Fleet();
  fleet.apply(update({ a: { rate: 50, latency: 0.01 } }), 1000);
  const { changed, added } = fleet.apply(update({ a: { rate: 49 } }), 1000);
  const phone = fleet.phones.get("a");
  assert.deepEqual([phone.rate, phone.latency, changed, added], [49, 0.01, ["a"], []]);
});

test("a phone is shown by the name of its info, if it has one", () => {
  const fleet = new Fleet();
  fleet.apply(update({ a: { info: { name: "Anna's" } }, b: { info: { name: 7 } }, c: {} }), 1000);
  assert.deepEqual([...fleet.phones.values()].map(({ shownName }) => shownName), ["Anna's", "b", "c"]);
});

test("what an update leaves out stays as it was", () => {
  const fleet = new Fleet();
  fleet.apply(update({}, { link: "down", stream: "offline" }), 1000);
  fleet.apply({ type: "update", now: 1000 }, 1000);
  assert.deepEqual([fleet.link, fleet.stream], ["down", "offline"]);
});

test("phones are forgotten when the server says so, and when a new connection names them not", () => {
  const fleet = new Fleet();
  fleet.apply(update({ a: {}, b: {}, c: {} }), 1000);
  assert.deepEqual(fleet.apply(update({}, { forgotten: ["a", "z"] }), 1000).forgotten, ["a"]);
  const b = fleet.phones.get("b");
  fleet.begin();
  assert.deepEqual(fleet.apply(update({ b: {} }), 1000).forgotten, ["c"]);
  assert.equal(fleet.phones.get("b"), b);
});

test("the server's clock is told from the least delayed frames", () => {
  const fleet = new Fleet();
  for (const delay of [0.3, 0.02, 0.5]) fleet.apply({ now: 5000 }, 4000 + delay);
  assert.ok(Math.abs(fleet.clock(4000) - 4999.98) < 0.01);
});

test("a phone's time is the clock's, but for recordings of another day", () => {
  const fleet = new Fleet();
  fleet.apply(update({ a: { ribbon: [[980, 990, "A", 1]] }, old: { ribbon: [[5, 9, "A", 1]] } }), 1000);
  assert.equal(fleet.phones.get("a").timeAt(1000), 1000);
  assert.equal(fleet.phones.get("old").timeAt(1000), 9);
});

test("a recording that is played as if it were of now has its own time, which goes on", () => {
  const fleet = new Fleet();
  const until = (end) => ({ a: { ribbon: [[700, end, "A", 1]] } });
  fleet.apply(update(until(800)), 1000);
  assert.equal(fleet.phones.get("a").timeAt(1000.25), 800.25);
  fleet.apply({ now: 1001, phones: until(804) }, 1001); // four times as fast
  assert.equal(fleet.phones.get("a").timeAt(1001), 804);
  fleet.apply({ now: 1070, phones: until(1069) }, 1070);
  assert.equal(fleet.phones.get("a").timeAt(1075), 1075);
});

test("of a phone that went offline before, the time since then is empty", () => {
  const fleet = new Fleet();
  fleet.apply(update({ a: { availability: "offline", ribbon: [[600, 700, "A", 1]] } }), 1000);
  assert.equal(fleet.phones.get("a").timeAt(1000), 1000);
});

test("an offline phone counts as one to look at", () => {
  const fleet = new Fleet();
  fleet.apply(update({ a: { availability: "offline" }, b: { info: { warnings: ["gaps"] } }, c: {} }), 1000);
  assert.deepEqual([...fleet.phones.values()].map((phone) => phone.hasWarning), [true, true, false]);
  assert.deepEqual(fleet.counts(), { phones: 3, online: 2, warnings: 1 });
});

test("signals of both sensors become rows of six", () => {
  const fleet = new Fleet();
  const signals = { start: 10, rate: 50, acc: [[1, 2, 3]], gyro: [[4, 5, 6]] };
  fleet.apply(update({ a: { signals } }), 1000);
  assert.deepEqual(fleet.phones.get("a").signals.rows, [[10, 1, 2, 3, 4, 5, 6]]);
});
