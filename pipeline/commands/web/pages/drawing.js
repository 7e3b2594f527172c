// What is drawn on canvases: strips of signals, ribbons, and bands of probabilities.

import { segments } from "./ribbon.js";
import { bands } from "./opened.js";
import { GAP_S } from "./rows.js";

const LETTER_PX = 12;
const DASHES = [[], [5, 3], [1.5, 2.5]];

/** Sizes in CSS pixels; asking the canvas itself would have the page laid out at each drawing. */
const sizes = new WeakMap();
const observer = new ResizeObserver((entries) => {
  for (const { target, contentRect: { width, height } } of entries) sizes.set(target, { width, height });
});

function sizeOf(canvas) {
  if (!sizes.has(canvas)) {
    sizes.set(canvas, { width: canvas.clientWidth, height: canvas.clientHeight });
    observer.observe(canvas);
  }
  return sizes.get(canvas);
}

/** Return the canvas's context, scaled so that lengths are CSS pixels, and cleared; null while the
 *  canvas has no size. */
export function fitted(canvas) {
  const { width, height } = sizeOf(canvas);
  if (!width || !height) return null;
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Give back the memory of a canvas that nobody sees. */
export function emptied(canvas) {
  if (canvas.width) canvas.width = canvas.height = 0;
}

/** Draw three axes of a signal within a box; `columns` are those of `rows`. */
export function drawAxes(context, box, rows, columns, { edge, paints, unit, dashed = false }) {
  const since = edge - rows.shownSeconds;
  const [low, high] = roundedExtent(rows.extent(columns, since), unit);
  const xOf = (time) => box.x + ((time - since) / rows.shownSeconds) * box.width;
  const yOf = (value) => box.y + box.height - ((value - low) / (high - low)) * box.height;
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.width, box.height);
  context.clip();
  context.strokeStyle = paints.line;
  context.lineWidth = 1;
  if (low < 0 && high > 0) {
    context.beginPath();
    context.moveTo(box.x, Math.round(yOf(0)) + 0.5);
    context.lineTo(box.x + box.width, Math.round(yOf(0)) + 0.5);
    context.stroke();
  }
  context.lineJoin = "round";
  for (const [axis, column] of columns.entries()) {
    context.strokeStyle = paints.axes[axis];
    context.lineWidth = dashed ? 1.5 : 1.25;
    context.setLineDash(dashed ? DASHES[axis] : []);
    context.beginPath();
    let before = -Infinity;
    for (const row of rows.rows) {
      const time = row[0];
      if (time < since - 0.1) continue;
      if (time - before > GAP_S) context.moveTo(xOf(time), yOf(row[column + 1]));
      else context.lineTo(xOf(time), yOf(row[column + 1]));
      before = time;
    }
    context.stroke();
  }
  context.restore();
  return [low, high];
}

/** Return a range that holds the extent, has round ends, and does not tremble with noise. */
export function roundedExtent([low, high], unit) {
  const step = Math.max(unit, niceStep((high - low) / 2));
  return [Math.floor(low / step) * step, Math.max(Math.ceil(high / step), Math.floor(low / step) + 1) * step];
}

function niceStep(size) {
  if (!(size > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].find((factor) => factor * power >= size) * power;
}

/** Draw the ribbon of activities between two times. */
export function drawRibbon(canvas, entries, { start, end, activities, paints }) {
  const surface = fitted(canvas);
  if (!surface) return;
  const { context, width, height } = surface;
  context.fillStyle = paints.line;
  context.fillRect(0, Math.floor(height / 2), width, 1);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `600 ${Math.min(LETTER_PX, height - 4)}px system-ui, sans-serif`;
  for (const part of segments(entries, { start, end, width })) {
    const activity = activities.of(part.activity);
    context.fillStyle = paints.fill(context, activity);
    context.fillRect(part.x, 0, part.width, height);
    if (activity.pattern !== "plain") {
      context.strokeStyle = paints.colour(activity);
      context.lineWidth = 1;
      context.strokeRect(part.x + 0.5, 0.5, Math.max(0, part.width - 1), height - 1);
    }
    if (part.width >= LETTER_PX + 2) drawLetter(context, part, height, activity, paints);
  }
}

function drawLetter(context, { x, width }, height, activity, paints) {
  const [across, down] = [x + width / 2, height / 2 + 0.5];
  if (activity.pattern !== "plain") {
    context.fillStyle = paints.surface;
    context.fillRect(across - 6, 1, 12, height - 2);
    context.fillStyle = paints.text;
  } else {
    context.fillStyle = paints.letterOn(activity);
  }
  context.fillText(activity.letter, across, down);
}

/** Draw probabilities as stacked bands between two times. */
export function drawBands(canvas, probabilities, { start, end, activities, paints }) {
  const surface = fitted(canvas);
  if (!surface) return;
  const { context, width, height } = surface;
  for (const band of bands(probabilities, { start, end, width })) {
    const x = Math.floor(band.x); // whole pixels, so that no seams shine through
    const across = Math.ceil(band.x + band.width) - x;
    const { tops } = band;
    let below = 0;
    for (const [place, top] of tops.entries()) {
      if (top - below > 0.002) {
        context.fillStyle = paints.fill(context, activities.of(activities.names[place]));
        const y = height * (1 - top);
        context.fillRect(x, y, across, height * (top - below) + 0.3);
      }
      below = top;
    }
  }
  context.fillStyle = paints.surface;
  for (const level of [0.25, 0.5, 0.75]) context.fillRect(0, Math.round(height * level), width, 0.5);
}
