// The phone page: this phone is the sensor, and shows what its wearer is found to be doing.

import { Activities } from "./activities.js";
import { socketAddress } from "./addresses.js";
import { CalibrationGuide } from "./calibration_guide.js";
import { compactMessage, isWhole } from "./compact_message.js";
import { clockText, durationText, percentText } from "./durations.js";
import { element, setText } from "./elements.js";
import { icon } from "./icons.js";
import { KeptSamples, KEPT_S } from "./kept_samples.js";
import { LabelButtons } from "./label_buttons.js";
import { Link } from "./link.js";
import { Motion } from "./motion.js";
import { messageOf, platformOf, PROBLEMS, SampleWatch } from "./motion_samples.js";
import { themeSwitch } from "./theme.js";
import { WakeLock } from "./wake_lock.js";

/** Unconfirmed samples for so long mean that the connection is dead, though nobody has said so. */
const MOST_SILENCE_MS = 15_000;
/** Four messages a second; after a connection was away, ten. */
const SEND_MS = 250;
const CATCH_UP_MS = 100;
const WRITE_MS = 500;
/** An activity for which no window came for so long is not of now: windows come every few seconds. */
const OLD_ANSWER_S = 15;
const NO_SENSOR = ["no-accelerometer", "no-gyroscope"];

const byId = (id) => document.getElementById(id);
const localNow = () => Date.now() / 1000;

let activities = new Activities([]);
let link = null;
let current = null;
let lastAnswer = null;
let startedAt = 0;
let advice = [];
let recording = "";
let hiddenSince = null;
let hiddenSpans = [];
let sendTimer = null;
const kept = new KeptSamples();
let watch = new SampleWatch();
const problems = new Map();
let shownProblems = "";

const motion = new Motion({
  onSample(sample) {
    problems.delete("no-events");
    kept.add(sample);
    watch.add(sample);
  },
  onProblem(name) {
    problems.set(name, PROBLEMS[name]);
    write();
  },
  onBreak: beginRecording,
});
const wakeLock = new WakeLock((words) => setText(byId("screen"), words));
const labels = new LabelButtons(byId("labels"), byId("label-state"), {
  send: (frame) => Boolean(link?.send(frame)),
  now: localNow,
});
const guide = new CalibrationGuide({
  list: byId("steps"),
  state: byId("calibration-state"),
  begin: byId("calibrate"),
  remove: byId("take-back"),
  announcer: byId("announcer"),
}, (frame) => Boolean(link?.send(frame)));

themeSwitch(byId("theme"), () => {});
byId("start").addEventListener("click", () => (motion.running ? stop() : start()));
byId("naming").addEventListener("submit", (event) => {
  event.preventDefault();
  const address = new URL(location.href);
  address.searchParams.set("device", byId("name").value.trim());
  location.assign(address);
});
document.addEventListener("visibilitychange", () => (document.hidden ? hide() : comeBack()));
setInterval(write, WRITE_MS);
begin();

function begin() {
  const device = new URL(location.href).searchParams.get("device");
  if (device) open(device);
  else byId("naming").hidden = false;
}

function open(device) {
  byId("naming").hidden = true;
  byId("sensing").hidden = false;
  setText(byId("device"), `· ${device}`);
  document.title = `${device} · har-stream`;
  if (!globalThis.isSecureContext) problems.set("no-https", PROBLEMS["no-https"]);
  link = new Link(socketAddress(location.href, device), { onFrame: take, onState: setLink });
  showActivity();
}

async function start() {
  for (const name of ["no-events", "refused", "no-sensors"]) problems.delete(name);
  watch = new SampleWatch();
  beginRecording();
  if (!(await motion.begin())) return;
  wakeLock.begin();
  startedAt = localNow();
  byId("start").setAttribute("aria-pressed", "true");
  setText(byId("start"), "Stop");
  schedule();
  showActivity();
}

function stop() {
  motion.end();
  wakeLock.end();
  send();
  clearTimeout(sendTimer);
  current = null;
  byId("start").setAttribute("aria-pressed", "false");
  setText(byId("start"), "Start");
  showActivity();
}

function beginRecording() {
  recording = new Date().toISOString();
}

function schedule() {
  clearTimeout(sendTimer);
  sendTimer = setTimeout(() => {
    send();
    if (motion.running || kept.waiting) schedule();
  }, kept.backlogged && link?.up ? CATCH_UP_MS : SEND_MS);
}

function send() {
  if (!link?.up) return;
  if (kept.waiting && !problems.has("answer") && link.silentMs > MOST_SILENCE_MS) link.renew();
  const samples = kept.next();
  if (!samples.length) return;
  const about = { platform: platformOf(navigator), recording };
  const whole = samples.filter(isWhole);
  // Where none is whole, a sensor is missing, and har-stream tells whoever looks.
  const sent = whole.length
    ? link.sendBytes(compactMessage(whole, about))
    : link.send({ type: "samples", payload: messageOf(samples, about) });
  if (!sent) kept.again();
}

function setLink(state, reason) {
  if (state === "up") {
    kept.again();
    problems.delete("server");
    labels.again();
    if (kept.waiting) schedule();
  } else {
    guide.interrupt();
    problems.set("server", { words: "The connection to the server is away. Samples of "
      + `${durationText(KEPT_S)} are kept and sent when it is back.`
      + (reason ? ` It said: ${reason}.` : "") });
  }
  write();
}

function take(frame) {
  if (frame.type === "hello" || frame.activities) setActivities(frame.activities);
  if (frame.type !== "answer") return;
  if (frame.activity) takeActivity(frame);
  if (Number.isFinite(frame.recognised)) lastAnswer = localNow();
  if (Number.isFinite(frame.until)) kept.confirm(frame.until);
  if (frame.calibration) guide.take(frame.calibration);
  if (frame.label) labels.confirm(frame.label.time);
  if (frame.problem) problems.set("answer", { words: frame.problem });
  else if ("problem" in frame) {
    problems.delete("answer");
    kept.again(); // what was not taken
    labels.again();
  }
  if (frame.advice) {
    advice = frame.advice;
    write();
  }
}

function setActivities(names) {
  if (names.join("\n") === activities.names.join("\n")) return;
  activities = new Activities(names);
  labels.setActivities(activities);
  showActivity();
}

function takeActivity({ activity, since, probability }) {
  const changed = current?.activity !== activity;
  current = { activity, since, probability };
  if (changed && motion.running) setText(byId("announcer"), activities.of(activity).title);
  showActivity();
}

function showActivity() {
  const known = motion.running && current;
  const activity = activities.of(known ? current.activity : "unknown");
  byId("now").className = `now ${activity.colour}`;
  byId("badge").className = `badge ${activity.pattern}`;
  byId("badge").replaceChildren(icon(activity.icon));
  const waiting = motion.running ? "Wait …" : "Not started";
  setText(byId("activity"), known ? activity.title : waiting);
  writeSince();
}

function writeSince() {
  if (!motion.running) {
    setText(byId("since"), "Tap Start, then put the phone where you wear it.");
  } else if (!current) {
    setText(byId("since"), lacksSensor()
      ? "Nothing can be recognised: a sensor is missing."
      : "The first answer comes after some six seconds.");
  } else if (lastAnswer === null && localNow() - startedAt > OLD_ANSWER_S) {
    setText(byId("since"), "as it was before: nothing has been recognised since the start");
  } else {
    setText(byId("since"), sinceText(current));
  }
}

/** How long it has had the activity, on this phone's own clock, which is that of its samples. */
function sinceText({ activity, since, probability }) {
  const now = localNow();
  const isOld = lastAnswer !== null && now - lastAnswer > OLD_ANSWER_S;
  if (isOld) return `for ${durationText(lastAnswer - since)}, as of ${clockText(lastAnswer)}`;
  const sure = activity === "unknown" ? "" : ` · ${percentText(probability)} sure`;
  return `for ${durationText(now - since)}${sure}`;
}

function lacksSensor() {
  return watch.problems().some((name) => NO_SENSOR.includes(name));
}

function hide() {
  if (motion.running) hiddenSince = localNow();
}

function comeBack() {
  if (hiddenSince === null) return;
  hiddenSpans = [...hiddenSpans, [hiddenSince, localNow()]].slice(-3);
  hiddenSince = null;
  motion.resume();
  write();
}

function write() {
  if (document.hidden) return;
  writeSince();
  const { rate } = watch;
  setText(byId("rate"), motion.running && rate ? `${rate.toFixed(0)} Hz` : "–");
  setText(byId("answer"), lastAnswer === null ? "–" : `${durationText(localNow() - lastAnswer)} ago`);
  const waiting = kept.waitingSeconds > 1 ? `, ${durationText(kept.waitingSeconds)} waiting` : "";
  setText(byId("sent"), kept.confirmed ? `${kept.confirmed.toLocaleString("en")}${waiting}` : "–");
  writeProblems();
}

function writeProblems() {
  const found = motion.running ? watch.problems().map((name) => PROBLEMS[name]) : [];
  const said = new Map(problems);
  if (motion.running && lacksSensor()) said.delete("answer"); // the server says the same
  const all = [...said.values(), ...found, ...advice.map((words) => ({ words }))];
  if (kept.gapSeconds >= 1) {
    all.push({ hint: true, words: `A gap of ${durationText(kept.gapSeconds)}: the connection was away `
      + "for longer than samples are kept." });
  }
  for (const [from, to] of hiddenSpans) {
    if (to - from < 1) continue;
    all.push({ hint: true, words: `This page was hidden from ${clockText(from)} to ${clockText(to)}: `
      + "it stopped, and nothing was measured then." });
  }
  const key = JSON.stringify(all);
  if (key === shownProblems) return;
  shownProblems = key;
  byId("problems").replaceChildren(...all.map(({ words, hint }) => element("p", {
    class: hint ? "notice hint" : "notice", text: words,
  })));
}
