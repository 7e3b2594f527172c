import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT_S, KeptSamples, MOST_IN_MESSAGE } from "../../../../../pipeline/commands/web/pages/kept_samples.js";

function keptOf(count, from = 0) {
  const kept = new KeptSamples();
  for (let k = 0; k < count; k += 1) kept.add({ t: from + k / 50 });
  return kept;
}

test("every sample is sent once, in order, in messages of bounded size", () => {
  const kept = keptOf(450);
  const batches = [kept.next(), kept.next(), kept.next(), kept.next()];
  assert.deepEqual(batches.map((batch) => batch.length), [MOST_IN_MESSAGE, MOST_IN_MESSAGE, 50, 0]);
  assert.deepEqual(batches.flat().map(({ t }) => t), Array.from({ length: 450 }, (_, k) => k / 50));
});

test("what is not confirmed is sent again over a new connection", () => {
  const kept = keptOf(100);
  kept.next();
  kept.confirm(0.98);
  kept.again();
  assert.deepEqual([kept.confirmed, kept.next()[0].t], [50, 1]);
});

test("samples are kept for a minute, and what is lost beyond is a gap", () => {
  const kept = keptOf(50 * (KEPT_S + 10));
  assert.ok(Math.abs(kept.waitingSeconds - KEPT_S) < 0.1);
  assert.ok(Math.abs(kept.gapSeconds - 10) < 0.2, `${kept.gapSeconds}`);
});

test("what was sent and is too old is no gap", () => {
  const kept = new KeptSamples();
  for (let k = 0; k < 50 * (KEPT_S + 10); k += 1) {
    kept.add({ t: k / 50 });
    if (k % 12 === 0) kept.next();
  }
  assert.equal(kept.gapSeconds, 0);
});

test("times that do not advance are left out", () => {
  const kept = keptOf(10);
  kept.add({ t: 0.1 });
  kept.add({ t: 0.18 });
  assert.equal(kept.waiting, 10);
});

test("any mixture of adding, sending, confirming and breaking loses nothing within a minute", () => {
  let seed = 7;
  const random = (below) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % below;
  };
  const kept = new KeptSamples();
  const arrived = new Set();
  let flying = [];
  let count = 0;
  for (let step = 0; step < 3000; step += 1) {
    const what = random(5);
    if (what < 2) kept.add({ t: (count += 1) / 50 });
    else if (what === 2) flying.push(...kept.next());
    else if (what === 3 && flying.length) {
      for (const { t } of flying) arrived.add(t);
      kept.confirm(flying.at(-1).t);
      flying = [];
    } else if (what === 4 && random(10) === 0) {
      flying = []; // the connection breaks
      kept.again();
    }
  }
  for (let batch = kept.again() ?? kept.next(); batch.length; batch = kept.next()) {
    for (const { t } of batch) arrived.add(t);
  }
  assert.equal(arrived.size, count);
});
