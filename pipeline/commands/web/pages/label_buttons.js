// One button for each activity: a tap labels what follows.
//
// A label carries its time, so it is kept while the connection is away, and sent later.

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
    this._kept = this._kept.slice(-MOST_KEPT);
    this._press();
    const what = name === null ? "Labels ended" : `${this._titles.get(name)}: labelled`;
    setText(this._state, `${what} from ${clockText(time)}`);
    this.flush();
  }

  _press() {
    for (const [name, button] of this._buttons) {
      button.setAttribute("aria-pressed", String(name !== null && name === this._current));
    }
  }

  /** Send what has been kept. */
  flush() {
    while (this._kept.length && this._send(this._kept[0])) this._kept.shift();
    if (this._kept.length && !this._state.textContent.endsWith("later")) {
      setText(this._state, `${this._state.textContent}; it is sent later`);
    }
  }
}
