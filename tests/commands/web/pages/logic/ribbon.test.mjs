import assert from "node:assert/strict";
import { test } from "node:test";
import { Activities } from "../../../../../pipeline/commands/web/pages/activities.js";
import { merged, RIBBON_S, ribbonWords, segments, shares } from "../../../../../pipeline/commands/web/pages/ribbon.js";

const span = { start: 0, end: 100 };

test("an entry with the same start replaces the one before", () => {
  const before = merged([], [[0, 5, "A", 0.9], [5, 8, "B", 0.9]]);
  assert.deepEqual(merged(before, [[5, 12, "C", 0.8]]), [[0, 5, "A", 0.9], [5, 12, "C", 0.8]]);
});

test("an empty entry takes back the one before", () => {
  const before = merged([], [[0, 5, "A", 0.9], [5, 8, "B", 0.9]]);
  const after = merged(before, [[4, 9, "C", 0.9], [5, 5, "B", 0.9], [0, 4, "A", 0.9]]);
  assert.deepEqual(after, [[0, 4, "A", 0.9], [4, 9, "C", 0.9]]);
});

test("entries come in any order, and the oldest are forgotten", () => {
  const late = merged([], [[RIBBON_S, RIBBON_S + 50, "B", 1], [40, 45, "A", 1], [60, 70, "A", 1]]);
  assert.deepEqual(late.map((entry) => entry[0]), [60, RIBBON_S]);
});

test("segments are cut to the span, and to where the next begins", () => {
  const drawn = segments([[-10, 20, "A", 1], [15, 50, "B", 1], [90, 300, "C", 1]],
    { ...span, width: 200 });
  assert.deepEqual(drawn.map(({ x, width, activity }) => [x, width, activity]),
    [[0, 30, "A"], [30, 70, "B"], [180, 20, "C"]]);
});

test("neighbours of one activity become one; over a gap they stay two", () => {
  const drawn = segments([[0, 10, "A", 1], [10, 20, "A", 1], [40, 50, "A", 1]],
    { ...span, width: 100 });
  assert.deepEqual(drawn.map(({ x, width }) => [x, width]), [[0, 20], [40, 10]]);
});

test("what is short stays visible", () => {
  assert.deepEqual(segments([[50, 50.01, "A", 1]], { ...span, width: 100 })[0].width, 1);
});

test("shares add up the seconds, the longest first, and words name the rest", () => {
  const entries = [[0, 10, "SITTING", 1], [10, 60, "WALKING", 1], [60, 70, "SITTING", 1]];
  assert.deepEqual(shares(entries, span), [["WALKING", 50], ["SITTING", 20]]);
  assert.equal(ribbonWords(entries, span, new Activities(["WALKING", "SITTING"])),
    "Last 10 minutes: walking 50 %, sitting 20 %, nothing known 30 %");
  assert.equal(ribbonWords([], span, new Activities([])), "Last 10 minutes: nothing known yet");
});
