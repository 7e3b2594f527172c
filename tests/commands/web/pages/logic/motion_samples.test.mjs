import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EventTimes, messageOf, platformOf, PROBLEMS, sampleOf, SampleWatch,
} from "../../../../../pipeline/commands/web/pages/motion_samples.js";

const event = {
  timeStamp: 1500.25,
  accelerationIncludingGravity: { x: 0.12, y: 9.7, z: 1.1 },
  rotationRate: { alpha: 1, beta: 2, gamma: 3 },
};

test("a sample has accelerations as given, and alpha, beta, gamma about x, y, z", () => {
  assert.deepEqual(sampleOf(event, 7), { t: 7, agx: 0.12, agy: 9.7, agz: 1.1, rx: 1, ry: 2, rz: 3 });
});

test("what the browser hides is null", () => {
  const hidden = sampleOf({ accelerationIncludingGravity: { x: null, y: 1, z: 2 }, rotationRate: null }, 7);
  assert.deepEqual(hidden, { t: 7, agx: null, agy: 1, agz: 2, rx: null, ry: null, rz: null });
});

test("events are dated by the clock at which measuring began", () => {
  const times = new EventTimes();
  times.begin(1_700_000_000_000, 1000);
  assert.equal(times.of(event), 1_700_000_000.50025);
  assert.equal(times.apart(1_700_000_005_000, 6000), 0);
  assert.equal(times.apart(1_700_000_065_000, 6000), 60);
});

test("iPhones and iPads are told from all others, also an iPad that says it is a Mac", () => {
  const agents = [
    [{ userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)" }, "ios"],
    [{ userAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X)", maxTouchPoints: 5 }, "ios"],
    [{ userAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X)", maxTouchPoints: 0 }, "android"],
    [{ userAgent: "Mozilla/5.0 (Linux; Android 14; Pixel 8)" }, "android"],
  ];
  for (const [agent, platform] of agents) assert.equal(platformOf(agent), platform);
});

test("a message names its units, platform and recording", () => {
  const message = messageOf([sampleOf(event, 7)], { platform: "ios", recording: "r" });
  assert.deepEqual([message.unit, message.gyro_unit, message.platform, message.recording],
    ["m/s2", "deg/s", "ios", "r"]);
});

function watchOf(change, rate = 50) {
  const watch = new SampleWatch();
  for (let k = 0; k < 3 * rate; k += 1) {
    const sample = { t: k / rate, agx: 0.1234, agy: 9.71 + 0.001 * k, agz: 1.003, rx: 1, ry: 2, rz: 3 };
    watch.add({ ...sample, ...change(k) });
  }
  return watch;
}

test("the rate is measured", () => {
  assert.ok(Math.abs(watchOf(() => ({}), 60).rate - 60) < 0.01);
  assert.equal(new SampleWatch().rate, null);
});

test("each problem is found, and has words", () => {
  const cases = [
    [{}, 50, []],
    [{ agx: null }, 50, ["no-accelerometer"]],
    [{ ry: null }, 50, ["no-gyroscope"]],
    [{}, 25, []],
    [{}, 18, []],
    [{}, 17, ["low-rate"]],
    [{ agx: 0.1, agy: 9.7, agz: 1.3 }, 50, ["rounded"]],
    [{ agx: 0.5, agy: 9.5, agz: 1 }, 50, ["coarse"]],
  ];
  for (const [change, rate, problems] of cases) {
    assert.deepEqual(watchOf(() => change, rate).problems(), problems);
    for (const name of problems) assert.ok(PROBLEMS[name].words.length > 40);
  }
});
