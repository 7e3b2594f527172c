// Guides the wearer through a calibration, step by step, as the server measures it.

import { element, setText } from "./elements.js";

const STEPS = {
  stand: "Wear the phone, and stand still for three seconds",
  walk: "Walk ten steps straight ahead",
};
/** What is said at the end, with the words of the server. */
const ENDS = {
  done: (words) => `${words || "Calibrated."} It has effect at once.`,
  failed: (words) => `That did not work. ${words}`,
  removed: (words) => words || "The calibration is taken back.",
};

export class CalibrationGuide {
  constructor({ list, state, begin, remove, announcer }, send) {
    this._state = state;
    this._begin = begin;
    this._remove = remove;
    this._announcer = announcer;
    this._send = send;
    this._step = null;
    this._items = new Map(Object.entries(STEPS).map(([step, text]) => [step, element("li", { text })]));
    list.append(...this._items.values());
    begin.addEventListener("click", () => this._toggle());
    remove.addEventListener("click", () => this._ask("remove", "Taking it back …"));
    this._show(null);
  }

  get _running() {
    return this._step !== null;
  }

  _toggle() {
    if (this._running) {
      this._send({ type: "calibrate", step: "cancel" });
      this._show(null);
      setText(this._state, "Cancelled; nothing has changed.");
    } else if (this._ask("begin", "Beginning …")) {
      this._show("stand");
    }
  }

  _ask(step, words) {
    const sent = this._send({ type: "calibrate", step });
    setText(this._state, sent ? words : "The connection is away; try again when it is back.");
    return sent;
  }

  /** Take what the server answers: `{step, steps, words}`. */
  take({ step, steps, words }) {
    if (step in STEPS) {
      if (!this._running) return; // cancelled meanwhile
      this._show(step);
      setText(this._state, step === "walk" && steps ? `${steps} steps` : words ?? "");
      return;
    }
    this._show(null);
    setText(this._state, (ENDS[step]?.(words ?? "") ?? "").trim());
  }

  /** The connection is gone, and with it the measurement. */
  interrupt() {
    if (!this._running) return;
    this._show(null);
    setText(this._state, "The connection went away during the calibration; begin again.");
  }

  _show(step) {
    if (step !== this._step && step) setText(this._announcer, STEPS[step]);
    this._step = step;
    for (const [name, item] of this._items) {
      if (name === step) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
    this._begin.textContent = step ? "Cancel" : "Calibrate";
    this._remove.disabled = step !== null;
  }
}
