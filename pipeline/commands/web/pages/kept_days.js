// Days of the history: which there are, what they are called, and where their hours lie. No DOM.
//
// A day is a string, "2026-11-23". Its times are this browser's; where clocks are set it has 23 or
// 25 hours.

/** Hours between two marks of a day's scale. */
const MARK_H = 3;

const LONG = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
const SHORT = { weekday: "short", day: "numeric" };

/** Return the day of a time in epoch seconds. */
export function dayOf(epochSeconds) {
  const date = new Date(epochSeconds * 1000);
  const digits = (number, length) => String(number).padStart(length, "0");
  return [digits(date.getFullYear(), 4), digits(date.getMonth() + 1, 2), digits(date.getDate(), 2)].join("-");
}

/** Return whether a text is a day. */
export function isDay(text) {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && dayOf(atHour(text, 12) / 1000) === text;
}

/** Return the day that is so many days later. */
export function dayAfter(day, count) {
  const [year, month, date] = parts(day);
  return dayOf(inYear(year, month - 1, date + count, 12).getTime() / 1000);
}

/** Return the seven days of a day's week, from Monday on. */
export function weekOf(day) {
  const fromMonday = (new Date(atHour(day, 12)).getDay() + 6) % 7;
  return Array.from({ length: 7 }, (_, place) => dayAfter(day, place - fromMonday));
}

/** Return what a day is called, in English as the whole page. */
export function dayName(day, short = false) {
  const form = new Intl.DateTimeFormat("en-GB", short ? SHORT : LONG);
  return form.format(new Date(atHour(day, 12))).replace(",", ""); // browsers differ there
}

/** Return the marks of a day's scale: `{text, share, minor}`, the share from its begin to its end;
 *  every other one is minor, and may be left out where there is little room. */
export function hourMarks(day, { begin, end }) {
  const marks = [];
  for (let hour = 0; hour < 24; hour += MARK_H) {
    const share = (atHour(day, hour) / 1000 - begin) / (end - begin);
    if (share < 0 || share >= 1) continue;
    marks.push({ text: String(hour).padStart(2, "0"), share, minor: (hour / MARK_H) % 2 === 1 });
  }
  return marks;
}

/** Return the seconds of each activity in several days, the longest first: `[activity, s]`. */
export function totals(days) {
  const seconds = new Map();
  for (const { seconds: ofDay } of days) {
    for (const [name, length] of Object.entries(ofDay)) seconds.set(name, (seconds.get(name) ?? 0) + length);
  }
  return [...seconds].sort((a, b) => b[1] - a[1]);
}

/** Return seconds as minutes or hours: "under 1 min", "12 min", "2 h 05 min". */
export function minutesText(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "under 1 min";
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Return a day in words: "Monday 23 November 2026: sitting 5 h 10 min, walking 42 min". */
export function dayWords({ day, seconds }, activities) {
  const found = totals([{ seconds }]).map(
    ([name, length]) => `${activities.of(name).title.toLowerCase()} ${minutesText(length)}`,
  );
  return `${dayName(day)}: ${found.length ? found.join(", ") : "no data"}`;
}

function parts(day) {
  return day.split("-").map(Number);
}

/** Milliseconds of an hour of a day, by this browser's clock. */
function atHour(day, hour) {
  const [year, month, date] = parts(day);
  return inYear(year, month - 1, date, hour).getTime();
}

/** A local time; `new Date(50, ...)` would be in 1950. */
function inYear(year, month, date, hour) {
  const made = new Date(2000, 0, 1, hour);
  made.setFullYear(year, month, date);
  made.setHours(hour, 0, 0, 0);
  return made;
}
