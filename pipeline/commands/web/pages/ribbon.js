// The ribbon: which activity a phone had when, over the last ten minutes. No DOM.
//
// An entry is [start, end, activity, probability], in epoch seconds. Entries are in order and do not
// overlap; where there is none, nothing is known.

/** Seconds that a ribbon shows, and keeps. */
export const RIBBON_S = 600;

/** Return `entries` with `incoming` merged: one with the same start replaces the one before, and an
 *  empty one takes it back. */
export function merged(entries, incoming) {
  if (!incoming.length) return entries;
  const byStart = new Map(entries.map((entry) => [entry[0], entry]));
  for (const entry of incoming) byStart.set(entry[0], entry);
  const ordered = [...byStart.values()].filter(([start, end]) => end > start)
    .sort((a, b) => a[0] - b[0]);
  const newest = ordered.reduce((latest, entry) => Math.max(latest, entry[1]), -Infinity);
  return ordered.filter((entry) => entry[1] >= newest - RIBBON_S);
}

/** Return what to draw between two times, `width` wide: `{x, width, activity, probability}`.
 *
 *  Neighbours of one activity that touch, or nearly, become one; an entry ends where the next one
 *  begins; what would be narrower than a pixel is kept one pixel wide. */
export function segments(entries, { start, end, width }) {
  const scale = width / (end - start);
  const drawn = [];
  for (const [index, [from, to, activity, probability]] of entries.entries()) {
    const next = entries[index + 1];
    const left = Math.max(start, from);
    const right = Math.min(end, next ? Math.min(to, next[0]) : to);
    if (right <= left) continue;
    const x = (left - start) * scale;
    const before = drawn.at(-1);
    if (before && before.activity === activity && x - (before.x + before.width) < 1) {
      before.width = (right - start) * scale - before.x;
      continue;
    }
    drawn.push({ x, width: Math.max(1, (right - left) * scale), activity, probability });
  }
  return drawn;
}

/** Return the seconds of each activity between two times, the longest first: `[activity, s]`. */
export function shares(entries, { start, end }) {
  const seconds = new Map();
  for (const [index, [from, to, activity]] of entries.entries()) {
    const next = entries[index + 1];
    const length = Math.min(end, next ? Math.min(to, next[0]) : to) - Math.max(start, from);
    if (length > 0) seconds.set(activity, (seconds.get(activity) ?? 0) + length);
  }
  return [...seconds].sort((a, b) => b[1] - a[1]);
}

/** Return a ribbon in words: "Last 10 minutes: walking 62 %, sitting 30 %, nothing known 8 %". */
export function ribbonWords(entries, { start, end }, activities) {
  const found = shares(entries, { start, end });
  if (!found.length) return "Last 10 minutes: nothing known yet";
  const parts = found.map(
    ([name, seconds]) => [activities.of(name).title.toLowerCase(), seconds / (end - start)],
  );
  const rest = 1 - parts.reduce((sum, [, share]) => sum + share, 0);
  if (rest > 0.005) parts.push(["nothing known", rest]);
  const words = parts.map(([title, share]) => `${title} ${Math.max(1, Math.round(share * 100))} %`);
  return `Last 10 minutes: ${words.join(", ")}`;
}
