// The dashboard: takes the server's frames, and shows the overview or one phone.
//
// Frames change what is known at once; the page is written once for each animation frame, and only
// where it is in view.

import { Activities } from "./activities.js";
import { openedPhone, socketAddress } from "./addresses.js";
import { Announcer } from "./announcer.js";
import { ORDERS } from "./arrangement.js";
import { ConnectDialog } from "./connect_dialog.js";
import { countText, latencyText } from "./durations.js";
import { element, setText } from "./elements.js";
import { Fleet } from "./fleet.js";
import { Grid } from "./grid.js";
import { Legend } from "./legend.js";
import { Link } from "./link.js";
import { Notices } from "./notices.js";
import { Opened } from "./opened.js";
import { Paints } from "./paints.js";
import { PhoneView } from "./phone_view.js";
import { themeSwitch } from "./theme.js";

/** More phones than this are shown as tiles, unless the reader chose. */
const MOST_CARDS = 24;
/** Milliseconds between two drawings of the strips, and of all else that moves. */
const STRIP_MS = 40;
const MANY_STRIPS_MS = 90;
const FEW = 12;
const TICK_MS = 1000;
/** Cards out of view that are brought up to date each second */
const MOST_HIDDEN_WRITTEN = 60;
/** The server sends something every five seconds; where nothing comes, the connection is dead. */
const MOST_SILENCE_MS = 15_000;

const byId = (id) => document.getElementById(id);

const fleet = new Fleet();
let activities = new Activities([]);
let advice = {};
let kept = false; // whether days can be asked for
let opened = null;
let view = null;
let arrangeWanted = true;
let watchWanted = true;
let lastStrips = -Infinity;
let lastTick = -Infinity;
let stripCost = 0;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const paints = new Paints();
const grid = new Grid(byId("grid"), { onWatch: () => { watchWanted = true; } });
const legend = new Legend(byId("legend"));
const notices = new Notices(byId("notices"));
const announcer = new Announcer(byId("announcer"));
const dialog = new ConnectDialog(byId("connect"), byId("addresses"), byId("address-list"));

const localNow = () => Date.now() / 1000;
const serverNow = () => fleet.clock(localNow());

themeSwitch(byId("theme"), () => {
  paints.refresh();
  redraw();
});
for (const [value, text] of Object.entries(ORDERS)) {
  byId("sort").append(element("option", { value, text }));
}
byId("toolbar").addEventListener("input", () => { arrangeWanted = true; });
byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => route());
addEventListener("resize", () => redraw());
document.addEventListener("visibilitychange", () => { watchWanted = true; });

const link = new Link(socketAddress(location.href), {
  onFrame: take,
  onState(state, reason) {
    notices.setServer(state, reason);
    watchWanted = true;
  },
});

function take(frame) {
  if (frame.type === "hello") {
    setActivities(frame.activities);
    advice = frame.advice ?? advice;
    kept = frame.history === true;
    dialog.setAddresses(frame.addresses ?? []);
    fleet.begin();
    arrangeWanted = watchWanted = true;
  } else if (frame.type === "update") {
    if (frame.activities) setActivities(frame.activities);
    takeUpdate(frame);
  } else if (frame.type === "opened" && opened?.apply(frame)) {
    view.dirty = true;
  }
}

function setActivities(names) {
  if (activities.names.join("\n") === names.join("\n")) return;
  activities = new Activities(names);
  legend.setActivities(activities);
  const select = byId("activity");
  const chosen = select.value;
  select.replaceChildren(
    element("option", { value: "", text: "All" }),
    ...activities.all().map(({ name, title }) => element("option", { value: name, text: title })),
  );
  select.value = chosen;
  grid.markAll();
  if (view) view.dirty = true;
}

function takeUpdate(update) {
  const { changed, added, forgotten } = fleet.apply(update, localNow());
  notices.setBroker(fleet.link);
  notices.setStream(fleet.link === "up" ? fleet.stream : "unknown", fleet.load);
  grid.mark(changed);
  if (added.length || forgotten.length) {
    arrangeWanted = true;
    lastTick = -Infinity; // counts are shown at once
  }
  if (opened && changed.includes(opened.name)) view.dirty = true;
  const followed = opened?.name ?? grid.focused;
  if (followed && changed.includes(followed)) {
    announcer.follow(fleet.phones.get(followed), activities);
  }
}

/** What the reader chose in the toolbar. */
function choice() {
  return {
    text: byId("text").value,
    activity: byId("activity").value,
    onlyWarnings: byId("only-warnings").checked,
    sort: byId("sort").value,
  };
}

function route() {
  const name = openedPhone(location.hash);
  const before = opened?.name ?? null;
  if (name === before) return;
  byId("overview").hidden = name !== null;
  byId("opened").hidden = name === null;
  view?.close();
  view = null;
  opened = null;
  if (name !== null) {
    opened = new Opened(name);
    view = new PhoneView(byId("opened"), name);
    document.title = `${name} · har-stream`;
    scrollTo(0, 0);
    view.heading.focus({ preventScroll: true });
    const phone = fleet.phones.get(name);
    if (phone) announcer.follow(phone, activities);
  } else {
    document.title = "har-stream";
    arrange();
    grid.focus(before);
  }
  watchWanted = true;
}

function arrange() {
  arrangeWanted = false;
  const chosenView = byId("view").value;
  const tiles = chosenView === "tiles" || (chosenView === "auto" && fleet.phones.size > MOST_CARDS);
  if (byId("grid").classList.toggle("tiles", tiles) !== arrange.tiles) {
    arrange.tiles = tiles;
    grid.markAll();
    watchWanted = true;
  }
  const shown = grid.arrange(fleet.phones, choice(), activities, serverNow());
  const empty = byId("empty");
  empty.hidden = shown > 0;
  if (shown === 0) {
    setText(empty, fleet.phones.size === 0
      ? "No phone has sent samples yet. Connect one, or start har-replay; it appears here by itself."
      : "No phone fits the filter.");
  }
}

function watch() {
  const hidden = document.hidden;
  const devices = hidden || opened || arrange.tiles ? [] : grid.visible.map((card) => card.phone.name);
  const open = hidden ? null : opened?.name ?? null;
  if (open && !hidden) devices.push(open);
  watchWanted = !link.send({ type: "watch", devices: devices.slice(0, 1000), open });
}

function redraw() {
  grid.markAll();
  if (view) view.dirty = true;
  lastTick = lastStrips = -Infinity;
}

function summarise() {
  const { phones, online, warnings } = fleet.counts();
  const parts = [countText(phones, "phone"), `${online} online`];
  if (warnings) parts.push(`${countText(warnings, "phone")} with warnings`);
  const typical = fleet.load?.latency_ms?.p50;
  if (typical > 0) parts.push(`results in ${latencyText(typical / 1000)}`); // 0 where none came
  setText(byId("summary"), parts.join(" · "));
}

function frame(milliseconds) {
  requestAnimationFrame(frame);
  const now = serverNow();
  const tick = milliseconds - lastTick >= TICK_MS;
  if (tick) {
    lastTick = milliseconds;
    if (link.up && link.silentMs > MOST_SILENCE_MS) link.renew();
    summarise();
    legend.count(fleet.phones.values());
    if (byId("sort").value !== "name" || byId("activity").value || byId("only-warnings").checked) {
      arrangeWanted = true;
    }
  }
  if (opened) {
    view.show(fleet.phones.get(opened.name), opened, { activities, advice, paints, now, tick,
      calm: calm.matches, milliseconds, kept });
  } else {
    if (arrangeWanted) arrange();
    showCards(milliseconds, now, tick);
  }
  if (watchWanted && link.up) watch();
}

function showCards(milliseconds, now, tick) {
  const visible = grid.visible;
  for (const card of visible) {
    const ribbonMoves = card.dirty || tick;
    if (card.dirty) card.write(activities, now);
    else if (tick) card.tick(activities, now);
    if (ribbonMoves && !arrange.tiles) card.drawRibbon(activities, paints, now);
  }
  const pause = calm.matches ? TICK_MS : visible.length > FEW ? MANY_STRIPS_MS : STRIP_MS;
  if (tick) {
    for (const card of grid.hiddenDirty(MOST_HIDDEN_WRITTEN)) card.write(activities, now);
  }
  // On a slow machine strips may take a third of the time, and no more.
  if (arrange.tiles || milliseconds - lastStrips < Math.max(pause, 3 * stripCost)) return;
  lastStrips = milliseconds;
  const begun = performance.now();
  for (const card of visible) card.drawStrip(paints, now);
  stripCost += 0.2 * (performance.now() - begun - stripCost);
}

route();
requestAnimationFrame(frame);
