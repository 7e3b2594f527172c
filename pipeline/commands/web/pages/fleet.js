// All that the dashboard knows of phones, made from the server's frames. No DOM.

import { merged, RIBBON_S } from "./ribbon.js";
import { Rows } from "./rows.js";

/** What comes later than this, or is so far ahead, is not of now. */
const LIVE_S = 15;

/** One phone as the server has told of it. */
export class Phone {
  constructor(name) {
    this.name = name;
    this.availability = "online";
    this.activity = null;
    this.info = null;
    this.rate = null;
    this.latency = null;
    this.prediction = null;
    this.truth = null;
    this.ribbon = [];
    this.signals = new Rows();
    this._lag = 0; // seconds from the newest that is known to the clock when it came
  }

  /** Take what is new at a time of the server's clock; unknown keys are left alone. */
  apply(patch, clock) {
    const before = this.newest;
    for (const key of ["availability", "activity", "info", "rate", "latency", "prediction", "truth"]) {
      if (key in patch) this[key] = patch[key];
    }
    if (patch.ribbon) this.ribbon = merged(this.ribbon, patch.ribbon);
    const signals = patch.signals;
    if (signals) {
      const rows = signals.acc.map((acc, index) => [...acc, ...(signals.gyro[index] ?? [])]);
      this.signals.add(signals.start, signals.rate, rows);
    }
    if (this.newest !== before) this._lag = clock - this.newest;
  }

  get offline() {
    return this.availability === "offline";
  }

  /** How people are shown it: by the name in its options, else by its own. */
  get shownName() {
    const name = this.info?.name;
    return typeof name === "string" && name ? name : this.name;
  }

  /** Name of the activity now; a phone without one is unknown. */
  get activityName() {
    return this.activity?.activity ?? "unknown";
  }

  /** Epoch seconds since when it has that activity, null if that is not known. */
  get since() {
    return this.activity?.since ?? null;
  }

  get probability() {
    return this.activity?.probability ?? null;
  }

  /** The names of what is wrong with its samples. */
  get warnings() {
    return this.info?.warnings ?? [];
  }

  /** What to do about each warning, in the same order. */
  get advice() {
    return this.info?.advice ?? [];
  }

  get hasWarning() {
    return this.offline || this.warnings.length > 0;
  }

  /** When the last window ended by which its activity was known, -Infinity if none came. */
  get knownUntil() {
    const end = this.ribbon.length ? this.ribbon.at(-1)[1] : -Infinity;
    return Math.max(end, this.prediction?.end ?? -Infinity);
  }

  /** Time of the newest that is known, in the phone's own time. */
  get newest() {
    return Math.max(this.knownUntil, this.signals.newest);
  }

  /** What time it is for this phone: the clock's, but for recordings of another time, which may
   *  also be played faster than they were made. */
  timeAt(clock) {
    const newest = this.newest;
    if (!Number.isFinite(newest)) return clock;
    if (!this.offline && Math.abs(this._lag) > LIVE_S) return clock - this._lag;
    const behind = clock - newest;
    return behind > RIBBON_S || behind < -LIVE_S ? newest : Math.max(clock, newest);
  }
}

/** All phones, and how it stands with broker and har-stream. */
export class Fleet {
  constructor() {
    this.phones = new Map();
    this.link = "up";
    this.stream = "unknown";
    this.load = null;
    this._ahead = null;
    this._complete = true;
  }

  /** A new connection begins: its first update names all phones, and the others are gone. */
  begin() {
    this._complete = false;
  }

  /** Take an update; `local` is this machine's time. Return what has changed:
   *  `{changed: names, added: names, forgotten: names}`. */
  apply(update, local) {
    this._setClock(update.now, local);
    if ("link" in update) this.link = update.link;
    if ("stream" in update) this.stream = update.stream;
    if ("load" in update) this.load = update.load;
    const added = [];
    const changed = Object.keys(update.phones ?? {});
    for (const name of changed) {
      if (!this.phones.has(name)) {
        this.phones.set(name, new Phone(name));
        added.push(name);
      }
      this.phones.get(name).apply(update.phones[name], this.clock(local));
    }
    const gone = [...(update.forgotten ?? [])];
    if (!this._complete) {
      this._complete = true;
      const named = new Set(changed);
      gone.push(...[...this.phones.keys()].filter((name) => !named.has(name)));
    }
    const forgotten = gone.filter((name) => this.phones.delete(name));
    return { changed, added, forgotten };
  }

  /** Return the server's time, in epoch seconds. */
  clock(local) {
    return local + (this._ahead ?? 0);
  }

  /** A frame is late by chance, never early: the least delayed of late tells how far the server's
   *  clock is ahead. */
  _setClock(now, local) {
    if (!Number.isFinite(now)) return;
    const ahead = now - local;
    const before = this._ahead;
    if (before === null || ahead > before || before - ahead > 5) this._ahead = ahead;
    else this._ahead = before - 0.01 * (before - ahead);
  }

  /** Return how many phones there are, are online, and have something wrong. */
  counts() {
    const counts = { phones: this.phones.size, online: 0, warnings: 0 };
    for (const phone of this.phones.values()) {
      counts.online += phone.offline ? 0 : 1;
      counts.warnings += phone.warnings.length > 0 ? 1 : 0;
    }
    return counts;
  }
}
