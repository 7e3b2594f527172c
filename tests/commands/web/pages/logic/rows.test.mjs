import assert from "node:assert/strict";
import { test } from "node:test";
import { Edge, Rows } from "../../../../../pipeline/commands/web/pages/rows.js";

const values = (count, first = 0) => Array.from({ length: count }, (_, k) => [first + k, 0, 0]);

test("blocks that follow, overlap or repeat give each row once", () => {
  const rows = new Rows();
  rows.add(100, 50, values(50));
  rows.add(100.5, 50, values(50, 25));
  rows.add(100.5, 50, values(50, 25));
  assert.deepEqual(rows.rows.map((row) => row[1]), Array.from({ length: 75 }, (_, k) => k));
});

test("only the shown seconds are kept, and a little more", () => {
  const rows = new Rows(10);
  for (let second = 0; second < 60; second += 1) rows.add(second, 50, values(50));
  assert.ok(rows.rows.length >= 500 && rows.rows.length <= 751);
});

test("a clock that was set back begins anew", () => {
  const rows = new Rows(10);
  rows.add(1000, 50, values(50));
  rows.add(900, 50, values(50));
  assert.equal(rows.rows[0][0], 900);
});

test("the extent is that of the columns and times asked for", () => {
  const rows = new Rows();
  rows.add(0, 1, [[1, -5, 9], [2, 7, 9], [3, 0, 9]]);
  assert.deepEqual(rows.extent([0, 1]), [-5, 7]);
  assert.deepEqual(rows.extent([0], 1), [2, 3]);
  assert.deepEqual(new Rows().extent([0]), [0, 0]);
});

test("the right edge moves evenly while rows come in blocks", () => {
  const edge = new Edge();
  const edges = [];
  for (let clock = 0; clock < 20; clock += 0.02) edges.push(edge.at(clock, Math.floor(clock * 2) / 2 - 0.1));
  const steps = edges.slice(300).map((at, index) => at - edges[299 + index]);
  assert.ok(Math.max(...steps) < 0.03, `${Math.max(...steps)}`);
  assert.ok(Math.min(...steps) >= 0, `${Math.min(...steps)}`);
});

test("rows of another day are shown at their own time", () => {
  assert.equal(new Edge().at(1e9, 5000), 5000);
});

test("the right edge keeps up with rows that come faster than time passes", () => {
  const edge = new Edge();
  const edges = [];
  const hidden = [];
  for (let clock = 200; clock < 240; clock += 0.02) {
    const newest = Math.floor(2 * (20 + 4 * (clock - 200))) / 2; // four times, half a second a block
    edges.push(edge.at(clock, newest));
    hidden.push(newest - edges.at(-1));
  }
  const steps = edges.slice(300).map((at, index) => at - edges[299 + index]);
  assert.ok(Math.min(...steps) >= 0 && Math.max(...steps) < 0.2, `${Math.max(...steps)}`);
  assert.ok(Math.max(...hidden) < 4, `${Math.max(...hidden)}`);
  assert.ok(Math.min(...hidden) > -0.5, `${Math.min(...hidden)}`);
});
