import assert from "node:assert/strict";
import { test } from "node:test";
import { compactMessage, isWhole } from "../../../../../pipeline/commands/web/pages/compact_message.js";

const sample = { t: 1_698_501_144.4, agx: 0.5, agy: 9.75, agz: -1, rx: 0, ry: -2, rz: 0.25 };
const about = { platform: "ios", recording: "r" };
const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("a sample that the browser hides a number of is not whole", () => {
  assert.equal(isWhole(sample), true);
  for (const value of [null, undefined, NaN, Infinity]) {
    assert.equal(isWhole({ ...sample, rz: value }), false);
  }
});

test("a message is a map of texts, a version and the bytes of arrays", () => {
  const text = (value) => (0xa0 + value.length).toString(16) + hex(Buffer.from(value));
  const bin = (bytes) => "c6" + bytes.length.toString(16).padStart(8, "0") + hex(bytes);
  const floats = (...values) => bin(new Uint8Array(new Float32Array(values).buffer));
  const times = bin(new Uint8Array(new Float64Array([sample.t]).buffer));
  const expected = "88" + text("v") + "01" + text("recording") + text("r") + text("convention")
    + text("ios") + text("time") + times + text("acc") + floats(0.5, 9.75, -1) + text("acc_unit")
    + text("m/s2") + text("gyro") + floats(0, -2, 0.25) + text("gyro_unit") + text("deg/s");
  assert.equal(hex(compactMessage([sample], about)), expected);
});

test("25 samples take under a thousand bytes", () => {
  const recording = "2026-11-28T10:00:00.000Z";
  assert.ok(compactMessage(Array(25).fill(sample), { ...about, recording }).length < 1000);
});

test("long names are told with their length", () => {
  const message = compactMessage([sample], { platform: "android", recording: "é".repeat(20) });
  assert.ok(hex(message).includes("da0028" + "c3a9".repeat(20)));
});
