// Which phones a page lists, and in which order. No DOM.

/** The orders to choose from, by their names in words. */
export const ORDERS = {
  name: "Name",
  activity: "Activity",
  since: "Latest change",
  warnings: "Warnings first",
};

const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;

/** Return the phones that fit the filter, in order.
 *
 *  `text` is looked for in names and activities; `activity` is a name or ""; `activities` gives
 *  activities their order. Equal phones are ordered by name, so the order is always the same. */
export function arranged(phones, { text = "", activity = "", onlyWarnings = false, sort = "name" },
                         activities) {
  const wanted = text.trim().toLowerCase();
  const fitting = phones.filter((phone) => {
    if (activity && phone.activityName !== activity) return false;
    if (onlyWarnings && !phone.hasWarning) return false;
    if (!wanted) return true;
    const title = activities.of(phone.activityName).title.toLowerCase();
    const texts = [phone.name.toLowerCase(), phone.shownName.toLowerCase(), title];
    return texts.some((words) => words.includes(wanted));
  });
  const before = {
    name: () => 0,
    activity: (a, b) => activities.of(a.activityName).place - activities.of(b.activityName).place,
    since: (a, b) => (b.since ?? -Infinity) - (a.since ?? -Infinity) || 0,
    warnings: (a, b) => Number(b.hasWarning) - Number(a.hasWarning)
      || b.warnings.length - a.warnings.length,
  }[sort] ?? (() => 0);
  return fitting.sort((a, b) => before(a, b) || byName(a.shownName, b.shownName) || byName(a.name, b.name));
}

/** Return the place in a grid after a key, or the same place; `columns` wide, `count` cells. */
export function placeAfter(key, place, columns, count) {
  const step = {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
    Home: -place, End: count - 1 - place,
  }[key];
  if (step === undefined) return null;
  const next = place + step;
  return next >= 0 && next < count ? next : place;
}
