import assert from "node:assert/strict";
import { test } from "node:test";
import { Activities } from "../../../../../pipeline/commands/web/pages/activities.js";
import { arranged, placeAfter } from "../../../../../pipeline/commands/web/pages/arrangement.js";

const activities = new Activities(["WALKING", "SITTING"]);
const phone = (name, activityName, since, warnings = [], shownName = name) => ({
  name, shownName, activityName, since, warnings, hasWarning: warnings.length > 0,
});
const PHONES = [
  phone("phone-10", "SITTING", 30),
  phone("phone-2", "WALKING", 10, ["low-rate"]),
  phone("Anna", "unknown", 20, ["gaps", "low-rate"]),
  phone("ben", "SITTING", null),
];
const names = (choice) => arranged(PHONES, choice, activities).map(({ name }) => name);

test("names are ordered as people count, whatever their capitals", () => {
  assert.deepEqual(names({ sort: "name" }), ["Anna", "ben", "phone-2", "phone-10"]);
});

test("the other orders fall back on names", () => {
  assert.deepEqual(names({ sort: "activity" }), ["phone-2", "ben", "phone-10", "Anna"]);
  assert.deepEqual(names({ sort: "since" }), ["phone-10", "Anna", "phone-2", "ben"]);
  assert.deepEqual(names({ sort: "warnings" }), ["Anna", "phone-2", "ben", "phone-10"]);
});

test("a phone with a name for people is ordered and found by that, and found by its own", () => {
  const named = [...PHONES, phone("phone-1", "SITTING", 5, [], "Clara's")];
  const found = (choice) => arranged(named, choice, activities).map(({ name }) => name);
  assert.deepEqual(found({ sort: "name" }), ["Anna", "ben", "phone-1", "phone-2", "phone-10"]);
  assert.deepEqual([found({ text: "clara" }), found({ text: "phone-1" })],
    [["phone-1"], ["phone-1", "phone-10"]]);
});

test("filters hold together", () => {
  assert.deepEqual(names({ text: " PHONE" }), ["phone-2", "phone-10"]);
  assert.deepEqual(names({ text: "sit" }), ["ben", "phone-10"]);
  assert.deepEqual(names({ text: "phone", activity: "SITTING" }), ["phone-10"]);
  assert.deepEqual(names({ onlyWarnings: true }), ["Anna", "phone-2"]);
});

test("arrow keys move in the grid and stop at its edges", () => {
  const moves = ["ArrowRight", "ArrowDown", "ArrowUp", "Home", "End", "a"];
  assert.deepEqual(moves.map((key) => placeAfter(key, 4, 3, 8)), [5, 7, 1, 0, 7, null]);
  assert.equal(placeAfter("ArrowDown", 6, 3, 8), 6);
});
