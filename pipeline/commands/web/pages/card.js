// One phone in the overview: a card, which the style sheet shows as a tile where there are many.
//
// A card is written only while it is in view. Its texts change with frames from the server and once
// a second; its strip is drawn as time goes by.

import { addressOf } from "./addresses.js";
import { drawAxes, drawRibbon, emptied, fitted } from "./drawing.js";
import { clockText, latencyText, rateText } from "./durations.js";
import { element, setAttribute, setText } from "./elements.js";
import { icon } from "./icons.js";
import { sinceWords, sureWords } from "./phone_words.js";
import { RIBBON_S, ribbonWords } from "./ribbon.js";
import { Edge } from "./rows.js";

const DESCRIBED_EVERY_S = 10;

let made = 0;

export class Card {
  constructor(phone) {
    this.phone = phone;
    this.visible = false;
    this.dirty = true;
    this._edge = new Edge();
    this._described = -Infinity;
    this._begun = "";
    this._shownIcon = null;
    this._shownColour = null;
    this._shownWarnings = null;
    const id = `card-${made += 1}`;
    this.badge = element("span", { class: "badge" });
    this.name = element("p", { class: "name", text: phone.name, title: phone.name });
    this.link = element("a", {
      class: "link", href: addressOf(phone.name), tabindex: "-1", id: `${id}-link`,
      "aria-describedby": `${id}-name`,
    });
    this.activity = element("h2", { class: "activity" }, [this.link]);
    this.name.id = `${id}-name`;
    this.mark = element("span", { class: "mark" });
    this.since = element("span");
    this.confidence = element("span");
    this.strip = element("canvas", { class: "strip", role: "img" });
    this.ribbon = element("canvas", { class: "ribbon", role: "img" });
    this.state = element("span", { class: "state" });
    this.delay = element("span");
    this.truth = element("p", { class: "truth", hidden: true });
    this.warnings = element("p", { class: "warnings", hidden: true });
    this.node = element("li", { class: "card" }, [
      element("div", { class: "head" }, [
        this.badge,
        element("div", { class: "words" }, [this.activity, this.name]),
        this.mark,
      ]),
      element("p", { class: "facts" }, [this.since, this.confidence]),
      this.strip,
      this.ribbon,
      element("p", { class: "facts" }, [this.state, this.delay]),
      this.truth,
      this.warnings,
    ]);
  }

  /** Write what changes with frames; `now` is the server's time. */
  write(activities, now) {
    this.dirty = false;
    const { phone } = this;
    const activity = activities.of(phone.activityName);
    setText(this.link, activity.title);
    if (this._shownColour !== activity.colour + activity.pattern) {
      this._shownColour = activity.colour + activity.pattern;
      this.node.className = `card ${activity.colour}`;
      this.badge.className = `badge ${activity.pattern}`;
    }
    this.node.classList.toggle("offline", phone.offline);
    if (this._shownIcon !== activity.icon) {
      this._shownIcon = activity.icon;
      this.badge.replaceChildren(icon(activity.icon));
    }
    setText(this.name, phone.shownName);
    setText(this.confidence, sureWords(phone));
    setText(this.state, phone.offline ? "Offline" : `Online · ${rateText(phone.rate)}`);
    const answers = phone.latency !== null && !phone.offline;
    setText(this.delay, answers ? `answer in ${latencyText(phone.latency)}` : "");
    this._writeTruth();
    this._writeWarnings();
    this.tick(activities, now);
  }

  _writeTruth() {
    const { truth } = this.phone;
    this.truth.hidden = !truth?.windows;
    if (!truth?.windows) return;
    const share = (100 * truth.right / truth.windows).toFixed(1);
    setText(this.truth, `${share} % right of ${truth.windows.toLocaleString("en")} labelled windows`);
  }

  _writeWarnings() {
    const { warnings, advice } = this.phone;
    const key = [warnings.length, warnings[0], advice[0]].join("\n");
    setText(this.mark, warnings.length ? "!" : "");
    setAttribute(this.mark, "title", warnings.join(", "));
    if (key === this._shownWarnings) return;
    this._shownWarnings = key;
    this.warnings.hidden = warnings.length === 0;
    if (!warnings.length) {
      this.warnings.replaceChildren();
      return;
    }
    const more = warnings.length > 1 ? ` (and ${warnings.length - 1} more)` : "";
    this.warnings.replaceChildren(
      element("strong", { text: `${warnings[0]}${more}: ` }), advice[0] ?? "",
    );
  }

  /** Write what changes with time. */
  tick(activities, now) {
    const { phone } = this;
    const time = phone.timeAt(now);
    setText(this.since, sinceWords(phone, now));
    if (phone.since !== null) setAttribute(this.since, "title", `since ${clockText(phone.since, now)}`);
    const begun = `${Number.isFinite(phone.signals.newest)} ${phone.ribbon.length > 0}`;
    if (now - this._described < DESCRIBED_EVERY_S && begun === this._begun) return;
    this._described = now;
    this._begun = begun;
    const span = { start: time - RIBBON_S, end: time };
    setAttribute(this.ribbon, "aria-label", ribbonWords(phone.ribbon, span, activities));
    const known = Number.isFinite(phone.signals.newest);
    setAttribute(this.strip, "aria-label", known
      ? "Acceleration above, rotation below, over the last ten seconds"
      : "Acceleration and rotation: no samples yet");
  }

  /** Draw the ribbon; it moves by a pixel in one or two seconds. */
  drawRibbon(activities, paints, now) {
    const end = this.phone.timeAt(now);
    drawRibbon(this.ribbon, this.phone.ribbon, { start: end - RIBBON_S, end, activities, paints });
  }

  /** Draw the strip of the last ten seconds. */
  drawStrip(paints, now) {
    const { signals } = this.phone;
    if (!Number.isFinite(signals.newest)) return;
    const surface = fitted(this.strip);
    if (!surface) return;
    const { context, width, height } = surface;
    const edge = this._edge.at(now, signals.newest);
    const half = height / 2;
    const box = { x: 0, width, height: half - 2 };
    drawAxes(context, { ...box, y: 0 }, signals, [0, 1, 2], { edge, paints, unit: 2 });
    drawAxes(context, { ...box, y: half + 2 }, signals, [3, 4, 5], { edge, paints, unit: 1 });
  }

  /** Give back what is needed only in view. */
  rest() {
    emptied(this.strip);
    emptied(this.ribbon);
  }
}
