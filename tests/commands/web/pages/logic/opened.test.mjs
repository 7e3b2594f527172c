import assert from "node:assert/strict";
import { test } from "node:test";
import { bands, Opened, rowShares } from "../../../../../pipeline/commands/web/pages/opened.js";

test("frames of another phone are left alone", () => {
  const opened = new Opened("a");
  assert.equal(opened.apply({ device: "b", episodes: [{ start: 1 }] }), false);
  assert.deepEqual(opened.episodes, []);
});

test("what comes again replaces what was there", () => {
  const opened = new Opened("a");
  opened.apply({ device: "a", probabilities: [[0, 2.5, [1, 0]]], episodes: [{ start: 1, end: 2 }] });
  opened.apply({ device: "a", probabilities: [[0, 2.5, [0, 1]]], episodes: [{ start: 1, end: 3 }] });
  assert.deepEqual(opened.probabilities, [[0, 2.5, [0, 1]]]);
  assert.deepEqual(opened.episodes, [{ start: 1, end: 3 }]);
});

test("a calibration stays until it is taken back", () => {
  const opened = new Opened("a");
  opened.apply({ device: "a", calibration: { v: 1 } });
  opened.apply({ device: "a", episodes: [] });
  assert.deepEqual(opened.calibration, { v: 1 });
  opened.apply({ device: "a", calibration: null });
  assert.equal(opened.calibration, null);
});

test("what was of times to come is taken back when a clock is set back", () => {
  const opened = new Opened("a");
  opened.apply({ device: "a", probabilities: [[100, 102.5, [1]], [400, 402.5, [1]]] });
  opened.apply({ device: "a", probabilities: [[200, 202.5, [1]]] });
  assert.deepEqual(opened.probabilities.map(([start]) => start), [100, 200]);
});

test("bands stack to one, from each window's end to the next one's, with nothing over a gap", () => {
  const windows = [[0, 2, [0.5, 0.5]], [1, 3, [0.25, 0.5]], [20, 22, [1, 0]]];
  const drawn = bands(windows, { start: 0, end: 100, width: 100 });
  assert.deepEqual(drawn.map(({ x, width }) => [x, width]), [[2, 1], [3, 1], [22, 1]]);
  assert.ok(drawn.every(({ tops }) => Math.abs(tops.at(-1) - 1) < 1e-9));
});

test("shares of a confusion matrix are of its rows", () => {
  assert.deepEqual(rowShares([[3, 1], [0, 0]]), [[0.75, 0.25], null]);
});
