// One phone in full: its activity, signals, probabilities, episodes, and what is known of it.

import { drawAxes, drawBands, drawRibbon, fitted } from "./drawing.js";
import { clockText, durationText, latencyText, percentText, rateText } from "./durations.js";
import { element, setAttribute, setText } from "./elements.js";
import { HistoryPanel } from "./history_panel.js";
import { icon } from "./icons.js";
import { infoWords } from "./info_words.js";
import { rowShares } from "./opened.js";
import { sinceWords, sureWords } from "./phone_words.js";
import { RIBBON_S, ribbonWords } from "./ribbon.js";
import { Edge } from "./rows.js";

const SIGNALS = [
  { name: "Total acceleration", prefix: "total_acc_", unit: "g", step: 0.2 },
  { name: "Body acceleration", prefix: "body_acc_", unit: "g", step: 0.1 },
  { name: "Angular velocity", prefix: "body_gyro_", unit: "rad/s", step: 0.5 },
];
const SHOWN_EPISODES = 30;
const SIGNAL_MS = 40;
const DESCRIBED_EVERY_S = 10;

export class PhoneView {
  constructor(node, name) {
    this._node = node;
    this.dirty = true;
    this._edge = new Edge();
    this._lastSignals = -Infinity;
    this._described = -Infinity;
    this._begun = "";
    this._shown = {};
    this.heading = element("h2", { id: "opened-name", tabindex: "-1", text: name });
    this._badge = element("span", { class: "badge" });
    this._activity = element("p", { class: "activity" });
    this._facts = element("p", { class: "muted numbers" });
    this._last = element("p", { class: "muted numbers" });
    this._warnings = element("ul", { class: "warnings" });
    this._absent = element("p", { class: "notice", hidden: true });
    this._signals = SIGNALS.map((signal) => this._signalFigure(signal));
    this._bands = element("canvas", { class: "bands", role: "img" });
    this._ribbon = element("canvas", { class: "ribbon", role: "img" });
    this._key = element("ul", { class: "legend", "aria-label": "Probabilities now" });
    this._episodes = element("tbody");
    this._noEpisodes = element("p", { class: "muted", text: "None has ended yet." });
    this._info = element("dl", { class: "info" });
    this._calibration = element("p");
    this._history = new HistoryPanel(name);
    this._truth = element("section", { class: "panel wide", "aria-labelledby": "truth-title",
      hidden: true });
    node.replaceChildren(
      element("p", {}, [element("a", { href: "#/", class: "back", text: "← All phones" })]),
      this._hero(),
      this._absent,
      this._warnings,
      element("div", { class: "panels" }, [
        panel("Last ten minutes", "history-title", [
          this._bands, this._ribbon,
          element("p", { class: "scale muted", "aria-hidden": "true" }, [
            element("span", { text: "10 min ago" }), element("span", { text: "now" }),
          ]),
          this._key,
        ], "wide"),
        this._history.node,
        ...this._signals.map(({ figure }) => figure),
        this._truth,
        panel("Episodes", "episodes-title", [
          element("div", { class: "scroll", tabindex: "0", role: "region",
            "aria-label": "Episodes, the latest first" }, [
            element("table", {}, [
              element("thead", {}, [element("tr", {}, ["Activity", "From", "For", "Sure"].map(
                (text) => element("th", { scope: "col", text }),
              ))]),
              this._episodes,
            ]),
            this._noEpisodes,
          ]),
        ]),
        panel("What is known of it", "info-title", [this._info]),
        panel("Calibration", "calibration-title", [this._calibration]),
      ]),
    );
  }

  _hero() {
    return element("div", { class: "hero" }, [
      this._badge,
      element("div", {}, [this.heading, this._activity, this._facts, this._last]),
    ]);
  }

  _signalFigure(signal) {
    const canvas = element("canvas", { class: "signal", role: "img" });
    const range = element("span", { class: "muted numbers" });
    const key = element("span", { class: "axes", "aria-hidden": "true" }, ["x", "y", "z"].map(
      (axis) => element("span", { class: `axis axis-${axis}`, text: axis }),
    ));
    const figure = panel(signal.name, `signal-${signal.prefix}`, [
      canvas, element("p", { class: "scale" }, [key, range]),
    ]);
    return { ...signal, canvas, range, figure };
  }

  close() {
    this._history.close();
    this._node.replaceChildren();
  }

  /** Show the phone as it is now; `phone` is undefined where there is none of that name. */
  show(phone, opened, { activities, advice, paints, now, tick, calm, milliseconds, kept }) {
    this._history.show({ kept, activities, paints, now, milliseconds, dirty: this.dirty || tick });
    this._absent.hidden = Boolean(phone);
    if (!phone) {
      setText(this._absent, "There is no phone of this name now. If it sends, it appears here.");
      return;
    }
    const activity = activities.of(phone.activityName);
    if (this.dirty) {
      this._writePhone(phone, activity, advice);
      this._writeKey(opened, activities);
      this._writeEpisodes(opened, activities);
      this._writeTruth(phone, activities);
    }
    if (this.dirty || tick) {
      this._writeTimes(phone, now);
      const end = phone.timeAt(now);
      const span = { start: end - RIBBON_S, end, activities, paints };
      drawBands(this._bands, opened.probabilities, span);
      drawRibbon(this._ribbon, phone.ribbon, span);
      this._describe(phone, opened, span, now);
    }
    this.dirty = false;
    if (milliseconds - this._lastSignals >= (calm ? 1000 : SIGNAL_MS)) {
      this._lastSignals = milliseconds;
      this._drawSignals(opened, paints, now);
    }
  }

  _writePhone(phone, activity, advice) {
    setText(this.heading, phone.shownName);
    setText(this._activity, activity.title);
    this._once("badge", activity.icon + activity.colour, () => {
      this._badge.className = `badge ${activity.pattern} ${activity.colour}`;
      this._badge.replaceChildren(icon(activity.icon));
    });
    this._once("warnings", JSON.stringify([phone.warnings, phone.advice]), () => {
      this._warnings.replaceChildren(...phone.warnings.map((warning, index) => element(
        "li", { class: "notice" },
        [element("strong", { text: `${warning}: ` }), phone.advice[index] ?? advice[warning] ?? ""],
      )), ...phone.advice.slice(phone.warnings.length).map((text) => element(
        "li", { class: "notice hint", text },
      )));
    });
    this._once("info", JSON.stringify(phone.info), () => {
      this._info.replaceChildren(...infoWords(phone.info).flatMap(([term, words]) => [
        element("dt", { text: term }), element("dd", { text: words }),
      ]));
    });
  }

  _writeTimes(phone, now) {
    const parts = [phone.offline ? "offline" : "online"];
    const since = phone.since === null || phone.offline ? "" : `, since ${clockText(phone.since, now)}`;
    parts.push(sinceWords(phone, now) + since, sureWords(phone));
    setText(this._facts, parts.filter(Boolean).join(" · "));
    const answers = phone.latency !== null && !phone.offline;
    setText(this._last, [
      rateText(phone.rate), answers ? `answer in ${latencyText(phone.latency)}` : "",
    ].filter(Boolean).join(" · "));
  }

  _writeKey(opened, activities) {
    const latest = opened.probabilities.at(-1)?.[2] ?? [];
    this._once("key", activities.names.join(), () => {
      this._shares = activities.names.map(() => element("span", { class: "count" }));
      this._key.replaceChildren(...activities.names.map((name, place) => {
        const { colour, pattern, letter, title } = activities.of(name);
        return element("li", {}, [
          element("span", { class: `key ${colour} ${pattern}`, text: letter, "aria-hidden": "true" }),
          element("span", { text: title }),
          this._shares[place],
        ]);
      }));
    });
    this._shares.forEach((node, place) => setText(node, percentText(latest[place] ?? NaN)));
  }

  _writeEpisodes(opened, activities) {
    const shown = opened.episodes.slice(-SHOWN_EPISODES).reverse();
    this._noEpisodes.hidden = shown.length > 0;
    const last = opened.episodes.at(-1);
    this._once("episodes", `${opened.episodes.length} ${last?.start} ${last?.end}`, () => {
      this._episodes.replaceChildren(...shown.map((episode) => {
        const { colour, pattern, letter, title } = activities.of(episode.activity);
        return element("tr", {}, [
          element("th", { scope: "row" }, [
            element("span", { class: `key ${colour} ${pattern}`, text: letter, "aria-hidden": "true" }),
            ` ${title}`,
          ]),
          element("td", { text: clockText(episode.start) }),
          element("td", { text: durationText(episode.end - episode.start) }),
          element("td", { text: percentText(episode.probability) }),
        ]);
      }));
    });
    const { calibration } = opened;
    this._once("calibration", JSON.stringify(calibration), () => {
      setText(this._calibration, calibrationWords(calibration));
    });
  }

  _writeTruth(phone, activities) {
    const { truth } = phone;
    this._truth.hidden = !truth?.windows;
    if (!truth?.windows) return;
    this._once("truth", JSON.stringify(truth), () => {
      const shown = activities.names.map((name) => activities.of(name));
      const shares = rowShares(truth.confusion);
      const head = element("tr", {}, [
        element("td"),
        ...shown.map(({ letter, title }) => element("th", { scope: "col" }, [
          element("abbr", { title, text: letter }),
        ])),
      ]);
      const rows = truth.confusion.map((row, place) => element("tr", {}, [
        element("th", { scope: "row", text: shown[place]?.title ?? "" }),
        ...row.map((count, column) => {
          const level = shares[place] ? Math.ceil(4 * shares[place][column]) : 0;
          const kind = column === place ? "right" : "wrong";
          return element("td", { class: count ? `${kind} level-${level}` : "none", text: String(count) });
        }),
      ]));
      this._truth.replaceChildren(
        element("h3", { id: "truth-title", text: "Beside the labels" }),
        element("p", {
          text: `${(100 * truth.right / truth.windows).toFixed(2)} % of `
            + `${truth.windows.toLocaleString("en")} labelled windows are right.`,
        }),
        element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" }, [
          element("table", { class: "confusion" }, [
            element("caption", { text: "True activity by row, recognised activity by column" }),
            element("thead", {}, [head]), element("tbody", {}, rows),
          ]),
        ]),
      );
    });
  }

  _drawSignals(opened, paints, now) {
    const edge = this._edge.at(now, opened.signals.newest);
    for (const { prefix, canvas, range, step, unit } of this._signals) {
      const surface = fitted(canvas);
      if (!surface) continue;
      const columns = ["x", "y", "z"].map((axis) => opened.channels.indexOf(prefix + axis));
      if (columns.some((column) => column < 0)) continue;
      const { context, width, height } = surface;
      const box = { x: 0, y: 0, width, height };
      const [low, high] = drawAxes(context, box, opened.signals, columns, {
        edge, paints, unit: step, dashed: true,
      });
      setText(range, `${signed(low)} to ${signed(high)} ${unit}, 10 s`);
    }
  }

  _describe(phone, opened, span, now) {
    const begun = `${opened.came} ${phone.ribbon.length > 0}`;
    if (now - this._described < DESCRIBED_EVERY_S && begun === this._begun) return;
    this._described = now;
    this._begun = begun;
    setAttribute(this._ribbon, "aria-label", ribbonWords(phone.ribbon, span, span.activities));
    const latest = opened.probabilities.at(-1);
    const words = latest?.[2].map((value, place) => [span.activities.names[place], value])
      .filter(([, value]) => value >= 0.01).sort((a, b) => b[1] - a[1])
      .map(([name, value]) => `${span.activities.of(name).title.toLowerCase()} ${percentText(value)}`);
    setAttribute(this._bands, "aria-label", words
      ? `Probabilities over the last ten minutes; now ${words.join(", ")}`
      : "Probabilities: no window yet");
    for (const { name, canvas } of this._signals) {
      setAttribute(canvas, "aria-label", Number.isFinite(opened.signals.newest)
        ? `${name} in x, y and z over the last ten seconds` : `${name}: no samples yet`);
    }
  }

  _once(key, value, write) {
    if (this._shown[key] === value) return;
    this._shown[key] = value;
    write();
  }
}

function panel(title, id, children, extra = "") {
  return element("section", { class: `panel ${extra}`.trim(), "aria-labelledby": id }, [
    element("h3", { id, text: title }), ...children,
  ]);
}

function signed(number) {
  return `${number < 0 ? "−" : ""}${parseFloat(Math.abs(number).toFixed(2))}`;
}

function calibrationWords(calibration) {
  if (!calibration) {
    return "Not calibrated. A phone at the waist that is worn another way than in landscape, right "
      + "edge up, is recognised better with one: har-calibrate, or the phone page, makes it.";
  }
  const parts = ["Calibrated"];
  if (calibration.created) parts.push(`at ${clockText(calibration.created)}`);
  if (calibration.steps) parts.push(`over ${calibration.steps} steps`);
  return `${parts.join(" ")}.`;
}
