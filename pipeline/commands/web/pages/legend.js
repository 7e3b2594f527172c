// The legend: each activity with its colour and letter, and how many phones have it now.

import { element, setText } from "./elements.js";

export class Legend {
  constructor(node) {
    this._node = node;
    this._counts = new Map();
  }

  setActivities(activities) {
    this._counts = new Map(activities.all().map(({ name }) => [name, element("span", { class: "count" })]));
    this._node.replaceChildren(...activities.all().map((activity) => element("li", {}, [
      element("span", {
        class: `key ${activity.colour} ${activity.pattern}`, text: activity.letter, "aria-hidden": "true",
      }),
      element("span", { text: activity.title }),
      this._counts.get(activity.name),
    ])));
  }

  /** Count the phones that are online. */
  count(phones) {
    const found = new Map();
    for (const phone of phones) {
      if (!phone.offline) found.set(phone.activityName, (found.get(phone.activityName) ?? 0) + 1);
    }
    for (const [name, node] of this._counts) setText(node, String(found.get(name) ?? 0));
  }
}
