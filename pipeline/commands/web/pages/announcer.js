// Changes told to screen readers, politely: of the one phone that the reader looks at.

import { setText } from "./elements.js";

export class Announcer {
  constructor(node) {
    this._node = node;
    this._name = null;
    this._told = null;
  }

  /** Tell of a phone's activity if it is another one than was told last. */
  follow(phone, activities) {
    const state = phone.offline ? "offline" : phone.activityName;
    if (phone.name === this._name && state === this._told) return;
    const isNew = phone.name !== this._name;
    this._name = phone.name;
    this._told = state;
    if (isNew) return; // its name and activity are read as it gets the focus
    const words = phone.offline ? "offline" : activities.of(state).title;
    setText(this._node, `${phone.shownName}: ${words}`);
  }
}
