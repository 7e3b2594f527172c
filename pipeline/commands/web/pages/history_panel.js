// Day and week of a phone: what har-history has kept, as ribbons and minutes.
//
// A day is asked for when it is to be shown; today is asked for again each minute. An answer that
// comes after the reader has gone on to another day is passed over.

import { drawRibbon } from "./drawing.js";
import { element, setAttribute, setText } from "./elements.js";
import { dayAfter, dayName, dayOf, dayWords, hourMarks, isDay, minutesText, totals, weekOf } from "./kept_days.js";

const AGAIN_MS = 60_000;

export class HistoryPanel {
  constructor(device) {
    this._device = device;
    this._day = dayOf(Date.now() / 1000);
    this._isWeek = false;
    this._days = [];
    this._dirty = true;
    this._asking = null;
    this._asked = -Infinity;
    this._heading = element("h3", { id: "kept-title", text: "Day and week" });
    this._choices = [["Day", false], ["Week", true]].map(([text, isWeek]) => element("button", {
      type: "button", text, "aria-pressed": String(isWeek === this._isWeek),
      on: { click: () => this._choose({ isWeek }) },
    }));
    this._date = element("input", {
      type: "date", "aria-label": "Day", value: this._day,
      on: { change: () => { if (isDay(this._date.value)) this._choose({ day: this._date.value }); } },
    });
    this._next = this._step("Next", 1);
    this._title = element("p", { class: "kept-day", role: "status" });
    this._ribbons = element("ul", { class: "kept-ribbons", "aria-label": "Ribbons" });
    this._minutes = element("tbody");
    this._table = element("table", { class: "kept-minutes", hidden: true }, [
      element("caption", { class: "visually-hidden", text: "Time of each activity" }),
      element("thead", {}, [element("tr", {}, ["Activity", "Time", "Share"].map(
        (text) => element("th", { scope: "col", text }),
      ))]),
      this._minutes,
    ]);
    this.node = element("section", { class: "panel wide kept", "aria-labelledby": "kept-title", hidden: true }, [
      this._heading,
      element("div", { class: "kept-tools" }, [
        element("div", { class: "kept-choice", role: "group", "aria-label": "Length" }, this._choices),
        this._step("Previous", -1),
        this._date,
        this._next,
      ]),
      this._title,
      this._ribbons,
      this._table,
    ]);
  }

  _step(text, direction) {
    return element("button", {
      type: "button", text,
      on: { click: () => this._choose({ day: dayAfter(this._day, direction * (this._isWeek ? 7 : 1)) }) },
    });
  }

  /** Show it if a history is kept; called again and again, with `dirty` where colours or widths are
   *  others than before. */
  show({ kept, activities, paints, now, milliseconds, dirty }) {
    this.node.hidden = !kept;
    if (!kept) return;
    const shown = this._shown();
    const goesOn = shown.includes(dayOf(now));
    if (!this._asking && (this._asked === -Infinity || (goesOn && milliseconds - this._asked >= AGAIN_MS))) {
      this._asked = milliseconds;
      this._ask(shown);
    }
    this._next.disabled = shown.at(-1) >= dayOf(now);
    if (this._dirty) this._write(activities);
    if (this._dirty || dirty) this._draw(activities, paints);
    this._dirty = false;
  }

  close() {
    this._asking?.abort();
  }

  _shown() {
    return this._isWeek ? weekOf(this._day) : [this._day];
  }

  _choose({ day = this._day, isWeek = this._isWeek }) {
    this._day = day;
    this._isWeek = isWeek;
    this._date.value = day;
    for (const [place, node] of this._choices.entries()) {
      setAttribute(node, "aria-pressed", String((place === 1) === isWeek));
    }
    this._asking?.abort();
    this._asking = null;
    this._asked = -Infinity;
  }

  async _ask(days) {
    const asking = new AbortController();
    this._asking = asking;
    try {
      const found = await Promise.all(days.map((day) => fetched(this._device, day, asking.signal)));
      if (this._asking !== asking) return;
      this._days = found;
      this._problem = "";
    } catch (error) {
      if (this._asking !== asking) return;
      this._days = [];
      this._problem = error instanceof Refusal ? error.message : "The server does not answer.";
    }
    this._asking = null;
    this._dirty = true;
  }

  _write(activities) {
    const found = totals(this._days);
    const name = this._isWeek ? `Week from ${dayName(weekOf(this._day)[0])}` : dayName(this._day);
    const note = this._problem || (this._days.length === 0 ? "…" : found.length === 0 ? "no data" : "");
    setText(this._title, note ? `${name}: ${note}` : name);
    this._canvases = this._days.map((day) => (day.episodes.length === 0 ? null : element("canvas", {
      class: "ribbon", role: "img", "aria-label": dayWords(day, activities),
    })));
    this._ribbons.replaceChildren(...this._days.map((day, place) => element("li", {}, [
      ...(this._isWeek ? [element("span", { class: "muted", text: dayName(day.day, true) })] : []),
      element("div", { class: "kept-ribbon" }, [
        this._canvases[place] ?? element("p", { class: "muted", text: "no data" }),
        ...(place === this._days.length - 1 ? [scale(day)] : []),
      ]),
    ])));
    this._ribbons.hidden = found.length === 0;
    const whole = found.reduce((sum, [, seconds]) => sum + seconds, 0);
    this._table.hidden = found.length === 0;
    this._minutes.replaceChildren(...found.map(([activity, seconds]) => {
      const { colour, pattern, letter, title } = activities.of(activity);
      return element("tr", {}, [
        element("th", { scope: "row" }, [
          element("span", { class: `key ${colour} ${pattern}`, text: letter, "aria-hidden": "true" }),
          ` ${title}`,
        ]),
        element("td", { text: minutesText(seconds) }),
        element("td", { text: shareText(seconds / whole) }),
      ]);
    }));
  }

  _draw(activities, paints) {
    for (const [place, { begin, end, episodes }] of this._days.entries()) {
      const canvas = this._canvases[place];
      if (canvas) drawRibbon(canvas, episodes, { start: begin, end, activities, paints });
    }
  }
}

function shareText(share) {
  return share < 0.005 ? "under 1 %" : `${Math.round(100 * share)} %`;
}

/** Why the server has no answer, in its words. */
class Refusal extends Error {}

async function fetched(device, day, signal) {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const query = new URLSearchParams({ device, day, zone: timeZone });
  const answer = await fetch(`/history?${query}`, { signal, headers: { accept: "application/json" } });
  if (!answer.ok) throw new Refusal(await answer.text());
  return answer.json();
}

function scale(day) {
  return element("div", { class: "kept-scale muted", "aria-hidden": "true" }, hourMarks(day.day, day).map(
    ({ text, share, minor }) => {
      const mark = element("span", { class: minor ? "minor" : "", text });
      mark.style.left = `${100 * share}%`;
      return mark;
    },
  ));
}
