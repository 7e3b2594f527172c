import assert from "node:assert/strict";
import { test } from "node:test";
import { Activities } from "../../../../../pipeline/commands/web/pages/activities.js";
import {
  dayAfter, dayName, dayOf, dayWords, hourMarks, isDay, minutesText, totals, weekOf,
} from "../../../../../pipeline/commands/web/pages/kept_days.js";

process.env.TZ = "Europe/Berlin";

const HOUR_S = 3600;
const midnight = (...date) => new Date(...date).getTime() / 1000;

test("a day is the browser's", () => {
  assert.equal(dayOf(midnight(2026, 10, 23)), "2026-11-23");
  assert.equal(dayOf(midnight(2026, 10, 23) - 1), "2026-11-22");
});

test("what is no day is none", () => {
  assert.deepEqual(["2026-11-23", "0050-01-01", "2026-02-30", "2026-1-1", "", "today"].map(isDay),
    [true, true, false, false, false, false]);
});

test("days follow one another over months, years and set clocks", () => {
  assert.equal(dayAfter("2026-12-31", 1), "2027-01-01");
  assert.equal(dayAfter("2026-03-28", 1), "2026-03-29");
  assert.equal(dayAfter("2026-03-29", 1), "2026-03-30");
  assert.equal(dayAfter("2026-03-01", -1), "2026-02-28");
});

test("a week is from Monday to Sunday", () => {
  const week = ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29"];
  for (const day of week) assert.deepEqual(weekOf(day), week);
});

test("days have names", () => {
  assert.equal(dayName("2026-11-23"), "Monday 23 November 2026");
  assert.equal(dayName("2026-11-23", true), "Mon 23");
});

test("hours lie where they are, also when the clocks are set", () => {
  const shares = (day, hours) => {
    const begin = midnight(...day.split("-").map((part, place) => Number(part) - (place === 1 ? 1 : 0)));
    return hourMarks(day, { begin, end: begin + hours * HOUR_S }).map(({ share }) => Math.round(share * hours));
  };
  assert.deepEqual(shares("2026-11-23", 24), [0, 3, 6, 9, 12, 15, 18, 21]);
  assert.deepEqual(shares("2026-03-29", 23), [0, 2, 5, 8, 11, 14, 17, 20]);
  assert.deepEqual(shares("2026-10-25", 25), [0, 4, 7, 10, 13, 16, 19, 22]);
});

test("every other mark may be left out", () => {
  const begin = midnight(2026, 10, 23);
  const marks = hourMarks("2026-11-23", { begin, end: begin + 24 * HOUR_S });
  assert.deepEqual(marks.filter(({ minor }) => !minor).map(({ text }) => text), ["00", "06", "12", "18"]);
});

test("times of several days are added, the longest first", () => {
  const days = [{ seconds: { WALKING: 60, SITTING: 600 } }, { seconds: { WALKING: 900 } }, { seconds: {} }];
  assert.deepEqual(totals(days), [["WALKING", 960], ["SITTING", 600]]);
});

test("a time is in minutes and hours", () => {
  assert.deepEqual([4, 29, 31, 3570, 7500].map(minutesText),
    ["under 1 min", "under 1 min", "1 min", "1 h 00 min", "2 h 05 min"]);
});

test("a day in words", () => {
  const activities = new Activities(["WALKING", "SITTING"]);
  const words = (seconds) => dayWords({ day: "2026-11-23", seconds }, activities);
  assert.equal(words({ WALKING: 2520, SITTING: 18_600 }),
    "Monday 23 November 2026: sitting 5 h 10 min, walking 42 min");
  assert.equal(words({}), "Monday 23 November 2026: no data");
});
