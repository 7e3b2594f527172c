// What is the matter with server, broker and har-stream, in words. It goes away by itself.

import { element } from "./elements.js";

const AWAY = "The server is away; what you see stands still. This page tries again by itself.";

export class Notices {
  constructor(node) {
    this._node = node;
    this._words = new Map();
    this._shown = "";
  }

  setServer(state, reason) {
    const why = reason ? ` It said: ${reason}.` : "";
    this._set("server", state === "up" ? null : { bad: true, words: AWAY + why });
    if (state !== "up") {
      this._set("broker", null);
      this._set("stream", null);
    }
  }

  setBroker(link) {
    this._set("broker", link !== "down" ? null : {
      bad: true,
      words: "The broker is away: no samples and no results come. The server tries again by itself.",
    });
  }

  setStream(stream, load) {
    const words = {
      offline: "har-stream is offline: phones may send, but nothing recognises what they do. "
        + "Start har-stream.",
      degraded: `har-stream needs mending: ${(load?.troubles ?? []).join("; ") || "see its log"}.`,
    }[stream];
    this._set("stream", words ? { bad: stream === "offline", words } : null);
  }

  _set(key, notice) {
    if (notice) this._words.set(key, notice);
    else this._words.delete(key);
    const shown = JSON.stringify([...this._words]);
    if (shown === this._shown) return;
    this._shown = shown;
    this._node.replaceChildren(...[...this._words.values()].map(
      ({ bad, words }) => element("p", { class: bad ? "notice bad" : "notice", text: words }),
    ));
  }
}
