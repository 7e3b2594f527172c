// All that is known of the opened phone beyond its card. No DOM.

import { Rows } from "./rows.js";
import { RIBBON_S } from "./ribbon.js";

/** Episodes that are kept, the newest. */
export const MOST_EPISODES = 200;

/** A window that is older than the newest by more is of a clock that was set back. */
const SET_BACK_S = 15;

/** Prepared signals, probabilities, episodes and calibration of one phone. */
export class Opened {
  constructor(name) {
    this.name = name;
    this.channels = [];
    this.signals = new Rows();
    this.probabilities = [];
    this.episodes = [];
    this.calibration = null;
    this.came = false;
  }

  /** Take a frame `opened` of this phone; those of others are left alone. */
  apply(frame) {
    if (frame.device !== this.name) return false;
    this.came = true;
    if (frame.signals) {
      this.channels = frame.signals.channels ?? this.channels;
      this.signals.add(frame.signals.start, frame.signals.rate, frame.signals.rows);
    }
    this._forgetBehind(frame.probabilities?.at(-1)?.[1] ?? Infinity);
    this.probabilities = inOrder(this.probabilities, frame.probabilities ?? [], (entry) => entry[0]);
    const newest = this.probabilities.at(-1)?.[1] ?? 0;
    this.probabilities = this.probabilities.filter((entry) => entry[1] >= newest - RIBBON_S);
    this.episodes = inOrder(this.episodes, frame.episodes ?? [], (episode) => episode.start)
      .slice(-MOST_EPISODES);
    if ("calibration" in frame) this.calibration = frame.calibration;
    return true;
  }

  /** Where the newest window is of long before, the phone's clock was set back: what was known of
   *  later times is taken back. */
  _forgetBehind(newest) {
    if ((this.probabilities.at(-1)?.[1] ?? newest) - newest <= SET_BACK_S) return;
    this.probabilities = this.probabilities.filter((entry) => entry[1] <= newest);
  }
}

function inOrder(before, incoming, startOf) {
  if (!incoming.length) return before;
  const byStart = new Map(before.map((one) => [startOf(one), one]));
  for (const one of incoming) byStart.set(startOf(one), one);
  return [...byStart.values()].sort((a, b) => startOf(a) - startOf(b));
}

/** Return stacked bands of probabilities between two times: for each window `{x, width, tops}`,
 *  `tops` being the sums from 0 to 1 up to each activity. Windows overlap: each is drawn from its
 *  end on, when it was known, to the next one's; over a gap nothing is drawn. */
export function bands(probabilities, { start, end, width }) {
  const scale = width / (end - start);
  const drawn = [];
  for (const [index, [from, to, values]] of probabilities.entries()) {
    const next = probabilities[index + 1];
    const length = to - from;
    const until = next && next[1] - to < 2 * length ? next[1] : to + length / 2;
    const left = Math.max(start, to);
    const right = Math.min(end, until);
    if (right <= left) continue;
    let sum = 0;
    const tops = values.map((value) => (sum += value));
    drawn.push({
      x: (left - start) * scale,
      width: (right - left) * scale,
      tops: sum > 0 ? tops.map((top) => top / sum) : tops,
    });
  }
  return drawn;
}

/** Return a confusion matrix in shares of its rows, null for a row without windows. */
export function rowShares(confusion) {
  return confusion.map((row) => {
    const sum = row.reduce((total, count) => total + count, 0);
    return sum ? row.map((count) => count / sum) : null;
  });
}
