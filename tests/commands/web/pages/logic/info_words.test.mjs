import assert from "node:assert/strict";
import { test } from "node:test";
import { infoWords } from "../../../../../pipeline/commands/web/pages/info_words.js";

test("what is known of a phone is said in words, and what is not is left out", () => {
  const words = infoWords({
    device: "a", name: "Anna's", format: "browser", topic: "browser/a", placement: "any", placement_by: "assumed",
    convention: "ios", model: "cnn-lstm-any@1", rates_hz: { gyroscope: 50 }, rejected: { size: 3 },
  });
  assert.deepEqual(Object.fromEntries(words), {
    Name: "Anna's, of the device a",
    Samples: "browser on browser/a",
    Rates: "gyroscope 50 Hz",
    Worn: "anywhere on the body, assumed",
    Sign: "iOS",
    Model: "cnn-lstm-any@1",
    Rejected: "3 for size",
  });
  assert.deepEqual(infoWords(null), [["Samples", "none yet"]]);
});
