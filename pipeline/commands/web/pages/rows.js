// Rows of signals over the last seconds, as they come in blocks. No DOM.

/** Seconds of signals that are shown, and kept. */
export const SHOWN_S = 10;
/** A longer pause between rows is a gap, as in har-stream. */
export const GAP_S = 0.5;
/** Rows that are further away from the edge than this are jumped to. */
const JUMP_S = 5;
/** More than comes in a block, unless rows come faster than time passes */
const MOST_HIDDEN_S = 1;

/** The newest rows of one phone: `[time, value, value, ...]` each, in order. */
export class Rows {
  constructor(shownSeconds = SHOWN_S) {
    this.shownSeconds = shownSeconds;
    this.rows = [];
  }

  /** Time of the newest row, -Infinity if there is none. */
  get newest() {
    return this.rows.length ? this.rows.at(-1)[0] : -Infinity;
  }

  /** Add a block that begins at `start`, `rate` rows a second; rows that are here stay as they are.
   *  A block of long before, as after a clock was set back, begins anew. */
  add(start, rate, values) {
    if (!values.length || !(rate > 0)) return;
    const end = start + (values.length - 1) / rate;
    if (end < this.newest - 2 * this.shownSeconds) this.rows = [];
    const after = this.newest + 0.5 / rate;
    for (const [index, row] of values.entries()) {
      const time = start + index / rate;
      if (time > after || this.rows.length === 0) this.rows.push([time, ...row]);
    }
    const oldest = this.newest - 1.5 * this.shownSeconds;
    const first = this.rows.findIndex((row) => row[0] >= oldest);
    if (first > 0) this.rows.splice(0, first);
  }

  /** Return the smallest and largest value of some columns since a time. */
  extent(columns, since = -Infinity) {
    let low = Infinity;
    let high = -Infinity;
    for (const row of this.rows) {
      if (row[0] < since) continue;
      for (const column of columns) {
        const value = row[column + 1];
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return low <= high ? [low, high] : [0, 0];
  }
}

/** Where the right edge of a moving picture is: the time of this machine's clock at the server's,
 *  behind by as much as rows come late, so that it moves evenly while rows come in blocks.
 *
 *  Recordings may be of another day, and be played faster than they were made: the edge follows. */
export class Edge {
  constructor() {
    this._lag = null;
  }

  /** Return the time at the right edge. `clock` is the server's time now; `newest` the last row's. */
  at(clock, newest) {
    if (!Number.isFinite(newest)) return clock;
    const lag = clock - newest;
    const hidden = (this._lag ?? Infinity) - lag; // seconds of rows beyond the edge
    if (Math.abs(hidden) > JUMP_S) this._lag = lag;
    else if (hidden < 0) this._lag -= 0.2 * hidden;
    else this._lag -= 0.002 * hidden + 0.1 * Math.max(0, hidden - MOST_HIDDEN_S);
    return clock - this._lag;
  }
}
