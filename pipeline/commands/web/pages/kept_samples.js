// The samples of this phone on their way to the server: in batches, kept while it is away. No DOM.
//
// A sample is kept until the server has confirmed its time, for a minute at most; what is older is
// left out, and counted as a gap. Over a new connection all that is not confirmed is sent again;
// har-stream recognises repeated samples by their times.

/** Seconds that samples are kept while the connection is away. */
export const KEPT_S = 60;
/** Samples in one message, at most: some 6 KB, or 30 KB as JSON, under the server's bound on a frame. */
export const MOST_IN_MESSAGE = 200;

export class KeptSamples {
  constructor() {
    this._kept = [];
    this._sent = 0;
    this.gapSeconds = 0;
    this.confirmed = 0;
  }

  /** Samples that are not confirmed yet. */
  get waiting() {
    return this._kept.length;
  }

  /** Seconds from the oldest unconfirmed sample to the newest. */
  get waitingSeconds() {
    return this._kept.length ? this._kept.at(-1).t - this._kept[0].t : 0;
  }

  /** Add a sample; times that do not advance are left out. */
  add(sample) {
    const newest = this._kept.at(-1);
    if (newest && sample.t <= newest.t) return;
    this._kept.push(sample);
    const oldest = sample.t - KEPT_S;
    let dropped = 0;
    while (this._kept[dropped].t < oldest) dropped += 1;
    if (dropped) this._drop(dropped);
  }

  _drop(count) {
    const unsent = count - Math.min(count, this._sent);
    if (unsent > 0) {
      const first = this._kept[count - unsent].t;
      this.gapSeconds += (this._kept[count]?.t ?? this._kept[count - 1].t) - first;
    }
    this._kept.splice(0, count);
    this._sent = Math.max(0, this._sent - count);
  }

  /** Return the next samples to send, an empty list if there are none. */
  next() {
    const batch = this._kept.slice(this._sent, this._sent + MOST_IN_MESSAGE);
    this._sent += batch.length;
    return batch;
  }

  /** Whether there is more than one message to send, as after a connection was away. */
  get backlogged() {
    return this._kept.length - this._sent > MOST_IN_MESSAGE;
  }

  /** The server confirms all samples up to a time. */
  confirm(until) {
    const left = this._kept.findIndex((sample) => sample.t > until + 1e-4);
    const count = left < 0 ? this._kept.length : left;
    this.confirmed += count;
    this._kept.splice(0, count);
    this._sent = Math.max(0, this._sent - count);
  }

  /** A new connection begins: what was sent and not confirmed is sent again. */
  again() {
    this._sent = 0;
  }
}
