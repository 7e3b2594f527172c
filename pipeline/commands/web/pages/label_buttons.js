// One button for each activity: a tap labels what follows.
//
// A label carries its time, so it is kept until the server has confirmed it, and sent again over a
// new connection.

import { clockText } from "./durations.js";
import { element, setText } from "./elements.js";

const MOST_KEPT = 100;

export class LabelButtons {
  /** `send(frame)` returns whether the connection took it. */
  constructor(node, state, { send, now }) {
    this._node = node;
    this._state = state;
    this._send = send;
    this._now = now;
    this._kept = [];
    this._sent = 0;
    this._words = "";
    this._current = null;
    this._buttons = new Map();
  }

  setActivities(activities) {
    const made = activities.names.map((name) => {
      const { colour, pattern, letter, title } = activities.of(name);
      const key = element("span", {
        class: `key ${colour} ${pattern}`, text: letter, "aria-hidden": "true",
      });
      return [name, this._button(name, title, [key])];
    });
    made.push([null, this._button(null, "No label", [])]);
    this._buttons = new Map(made);
    this._titles = new Map(activities.names.map((name) => [name, activities.of(name).title]));
    this._node.replaceChildren(...this._buttons.values());
    this._press();
  }

  _button(name, title, children) {
    return element("button", { type: "button", "aria-pressed": "false", on: {
      click: () => this._choose(name),
    } }, [...children, element("span", { text: title })]);
  }

  _choose(name) {
    this._current = name;
    const time = this._now();
    this._kept.push({ type: "label", activity: name, time });
    if (this._kept.length > MOST_KEPT) this._drop(1);
    this._press();
    const what = name === null ? "Labels ended" : `${this._titles.get(name)}: labelled`;
    this._words = `${what} from ${clockText(time)}`;
    this.flush();
  }

  _press() {
    for (const [name, button] of this._buttons) {
      button.setAttribute("aria-pressed", String(name !== null && name === this._current));
    }
  }

  /** Send what has not been sent yet. */
  flush() {
    while (this._sent < this._kept.length && this._send(this._kept[this._sent])) this._sent += 1;
    this._show();
  }

  /** A new connection begins: what is not confirmed is sent again. */
  again() {
    this._sent = 0;
    this.flush();
  }

  /** The server confirms all labels up to a time. */
  confirm(time) {
    this._drop(this._kept.filter((label) => label.time <= time).length);
    this._show();
  }

  _drop(count) {
    this._kept.splice(0, count);
    this._sent = Math.max(0, this._sent - count);
  }

  _show() {
    const waits = this._sent < this._kept.length;
    setText(this._state, waits ? `${this._words}; it is sent later` : this._words);
  }
}
