// The motion sensors of this phone, as its browser gives them.

import { EventTimes, sampleOf } from "./motion_samples.js";

const NO_EVENTS_MS = 3_000;
/** Beyond this, the clock has gone apart from the events' times, as after a sleep. */
const APART_S = 0.5;

export class Motion {
  /** `onSample(sample)` is called for each event, `onProblem(name)` for what is missing, and
   *  `onBreak()` when the times begin anew. */
  constructor({ onSample, onProblem, onBreak }) {
    this._onSample = onSample;
    this._onProblem = onProblem;
    this._onBreak = onBreak;
    this._times = new EventTimes();
    this._listener = (event) => this._take(event);
    this._timer = null;
    this.running = false;
  }

  /** Begin, asking for permission where the browser wants it; call it from a tap. Return whether
   *  events may come. */
  async begin() {
    if (!globalThis.isSecureContext) return this._fail("no-https");
    if (!("DeviceMotionEvent" in globalThis)) return this._fail("no-sensors");
    if (typeof DeviceMotionEvent.requestPermission === "function") {
      try {
        if (await DeviceMotionEvent.requestPermission() !== "granted") return this._fail("refused");
      } catch {
        return this._fail("refused");
      }
    }
    this.running = true;
    this._times.begin(Date.now(), performance.now());
    addEventListener("devicemotion", this._listener);
    this._await();
    return true;
  }

  end() {
    this.running = false;
    clearTimeout(this._timer);
    removeEventListener("devicemotion", this._listener);
  }

  /** The page is in view again: events are awaited anew, and their times compared to the clock. */
  resume() {
    if (this.running) this._await();
  }

  _await() {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      if (this.running && !document.hidden) this._onProblem("no-events");
    }, NO_EVENTS_MS);
  }

  _fail(problem) {
    this._onProblem(problem);
    return false;
  }

  _take(event) {
    this._await();
    if (this._times.apart(Date.now(), performance.now()) > APART_S) {
      this._times.begin(Date.now(), performance.now());
      this._onBreak();
    }
    this._onSample(sampleOf(event, this._times.of(event)));
  }
}
