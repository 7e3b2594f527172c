import assert from "node:assert/strict";
import { test } from "node:test";
import { Activities, COLOURS, titleOf, uniqueLetters } from "../../../../../pipeline/commands/web/pages/activities.js";

const SIX = ["WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING"];

test("the letters of the six activities are those that come to mind", () => {
  assert.deepEqual(uniqueLetters(SIX), ["W", "U", "D", "S", "T", "L"]);
});

test("any names have letters that are all different", () => {
  const names = ["A", "a", "AA", "B A", "", "übung", "Übung zwei", "ÜB"];
  const letters = uniqueLetters(names);
  assert.equal(new Set(letters).size, names.length);
  assert.ok(letters.every((letter) => letter.length >= 1));
});

test("more activities than colours repeat the colours, with stripes", () => {
  const names = Array.from({ length: COLOURS + 2 }, (_, place) => `ACTIVITY_${place}`);
  const activities = new Activities(names);
  const shown = names.map((name) => `${activities.of(name).colour} ${activities.of(name).pattern}`);
  assert.equal(new Set(shown).size, names.length);
  assert.equal(activities.of(names[COLOURS]).pattern, "stripes");
});

test("transition and unknown are there whatever the model, each with a pattern", () => {
  const activities = new Activities(["RUNNING"]);
  assert.deepEqual(activities.all().map(({ name }) => name), ["RUNNING", "transition", "unknown"]);
  assert.deepEqual(["transition", "unknown"].map((name) => activities.of(name).pattern),
    ["hatched", "dotted"]);
});

test("a name that no model has is shown as itself", () => {
  const activities = new Activities(SIX);
  assert.equal(activities.of("ROPE_JUMPING").title, "Rope jumping");
  assert.equal(activities.of(null).title, "Unknown");
  assert.equal(titleOf("WALKING_UPSTAIRS"), "Walking upstairs");
});
