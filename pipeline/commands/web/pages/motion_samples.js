// Samples out of the browser's motion events, and what is wrong with them. No DOM.
//
// A sample is one of har-stream's browser format: accelerationIncludingGravity in m/s² and
// rotationRate's alpha, beta and gamma in deg/s, as the browser gives them; they turn about x, y and
// z, in this order. Which sign accelerations have goes by the platform, which har-stream is told.

/** Samples a second that har-stream's models need: of a phone anywhere, and of one at the waist. */
export const NEEDED_ANYWHERE_HZ = 19;
export const NEEDED_AT_WAIST_HZ = 30;

/** Share of what is needed below which har-stream has no activity (its warning low-rate).
 *
 *  The page does not know where its phone is worn. Of one at the waist, har-stream says the rest. */
const SURELY_LOW = 28 / 30;

/** Return the sample of a motion event at a time; numbers that the browser hides are null. */
export function sampleOf(event, time) {
  const acc = event.accelerationIncludingGravity ?? {};
  const turn = event.rotationRate ?? {};
  return {
    t: time,
    agx: acc.x ?? null, agy: acc.y ?? null, agz: acc.z ?? null,
    rx: turn.alpha ?? null, ry: turn.beta ?? null, rz: turn.gamma ?? null,
  };
}

/** Return the platform that tells the sign: WebKit on an iPhone or iPad, or any other. */
export function platformOf({ userAgent = "", maxTouchPoints = 0 }) {
  const iPadAsMac = /Macintosh/.test(userAgent) && maxTouchPoints > 1;
  return /iPhone|iPad|iPod/.test(userAgent) || iPadAsMac ? "ios" : "android";
}

/** Return the message for the server of samples that lack numbers; see `compactMessage`. */
export function messageOf(samples, { platform, recording }) {
  return { v: 1, unit: "m/s2", gyro_unit: "deg/s", platform, recording, samples };
}

/** Epoch seconds of events, whose own times count from an origin of the browser's.
 *
 *  The origin is that of the machine's clock when measuring began: `performance.timeOrigin` runs
 *  apart from the clock when a phone sleeps. `begin` anew after a sleep. */
export class EventTimes {
  constructor() {
    this._originMs = 0;
  }

  begin(clockMs, monotonicMs) {
    this._originMs = clockMs - monotonicMs;
  }

  /** How many seconds the clock has gone apart from the times since `begin`. */
  apart(clockMs, monotonicMs) {
    return Math.abs(clockMs - monotonicMs - this._originMs) / 1000;
  }

  of(event) {
    return Math.round(this._originMs * 1000 + event.timeStamp * 1000) / 1e6;
  }
}

/** What a phone's samples show: their rate, and what is missing. Times in seconds. */
export class SampleWatch {
  constructor() {
    this._recent = [];
  }

  add(sample) {
    this._recent.push(sample);
    while (this._recent[0].t < sample.t - 3) this._recent.shift();
  }

  /** Samples a second over the last seconds, null while there are too few. */
  get rate() {
    const count = this._recent.length;
    if (count < 10) return null;
    const seconds = this._recent[count - 1].t - this._recent[0].t;
    return seconds > 0.3 ? (count - 1) / seconds : null;
  }

  /** The problems, a name each: `no-accelerometer`, `no-gyroscope`, `low-rate`, `coarse`, `rounded`;
   *  what they mean is in `PROBLEMS`. */
  problems() {
    const recent = this._recent;
    if (recent.length < 10) return [];
    const found = [];
    const hides = (keys) => recent.every((sample) => keys.some((key) => sample[key] === null));
    if (hides(["agx", "agy", "agz"])) found.push("no-accelerometer");
    if (hides(["rx", "ry", "rz"])) found.push("no-gyroscope");
    const rate = this.rate;
    if (rate !== null && rate < NEEDED_ANYWHERE_HZ * SURELY_LOW) found.push("low-rate");
    const values = recent.flatMap((sample) => [sample.agx, sample.agy, sample.agz]);
    const numbers = values.filter((value) => value !== null && value !== 0);
    if (numbers.length >= 60) {
      if (numbers.every((value) => isMultiple(value, 0.5))) found.push("coarse");
      else if (numbers.every((value) => isMultiple(value, 0.1))) found.push("rounded");
    }
    return found;
  }
}

function isMultiple(value, step) {
  return Math.abs(value / step - Math.round(value / step)) < 1e-3;
}

/** Each problem in words, with what to do. `hint` marks what does not hinder recognition. */
export const PROBLEMS = {
  "no-https": {
    words: "This page did not come over https, so the browser keeps the sensors from it. Open the "
      + "https address that har-web prints; its QR code is on the dashboard.",
  },
  "no-sensors": {
    words: "This browser knows no motion sensors. Open this page on a phone, in Safari, Chrome or "
      + "Firefox.",
  },
  refused: {
    words: "The permission was refused. On an iPhone: close this tab, open the page again and allow "
      + "motion. On Android: allow motion sensors for this site in the browser's settings.",
  },
  "no-events": {
    words: "No sample has come for three seconds. Does this device have motion sensors? In Chrome, "
      + "look at Settings › Site settings › Motion sensors.",
  },
  "no-accelerometer": {
    words: "There are no accelerations: this phone has no accelerometer, or its browser hides it.",
  },
  "no-gyroscope": {
    words: "There are no angular velocities: this phone has no gyroscope, or its browser hides it. "
      + "har-stream needs both sensors.",
  },
  "low-rate": {
    words: "The browser gives too few samples a second to recognise anything: "
      + `${NEEDED_ANYWHERE_HZ} are needed, and ${NEEDED_AT_WAIST_HZ} of a phone at the waist. Switch `
      + "off the phone's battery saver, or try another browser.",
  },
  coarse: {
    words: "This browser rounds accelerations coarsely, perhaps to protect against fingerprinting. "
      + "Sitting, standing and lying are hard to tell apart so; try another browser.",
  },
  rounded: {
    hint: true,
    words: "This browser rounds accelerations to 0.1 m/s². That is fine for walking; postures may "
      + "be told apart less surely.",
  },
};
