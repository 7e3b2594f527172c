import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { COLOURS } from "../../../../../pipeline/commands/web/pages/activities.js";

const CSS = readFileSync(
  new URL("../../../../../pipeline/commands/web/pages/theme.css", import.meta.url), "utf8",
);
/** How eyes without one kind of cone see linear RGB (Machado et al. 2009, severity 1). */
const EYES = {
  usual: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039]],
};
/** Distance in Oklab that two neighbouring areas need to be told apart at a glance. */
const APART = 0.07;

function theme(selector) {
  const block = CSS.slice(CSS.indexOf(selector)).split("{")[1].split("}")[0];
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((m) => [m[1], m[2]]));
}

const LIGHT = theme(":root {");
const DARK = theme(':root[data-theme="dark"] {');
const SYSTEM_DARK = theme("  :root:not([data-theme]) {");

function linear(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
}

const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, a, k) => sum + a * vector[k], 0));

/** Contrast as WCAG 2 defines it. */
function contrast(one, other) {
  const [low, high] = [one, other]
    .map((hex) => times([[0.2126, 0.7152, 0.0722]], linear(hex))[0]).sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Oklab (Ottosson 2020). */
function oklab(rgb) {
  const cones = times([[0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]],
  rgb.map((value) => Math.min(1, Math.max(0, value)))).map(Math.cbrt);
  return times([[0.2104542553, 0.793617785, -0.0040720468],
    [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]], cones);
}

test("a dark system has the dark theme", () => {
  assert.deepEqual(SYSTEM_DARK, DARK);
});

for (const [name, colours] of Object.entries({ light: LIGHT, dark: DARK })) {
  const activities = Array.from({ length: COLOURS }, (_, k) => `activity-${k}`);

  test(`${name}: activities stand out from the surface, and letters from activities`, () => {
    for (const activity of [...activities, "transition", "unknown"]) {
      assert.ok(contrast(colours[activity], colours.surface) >= 3, activity);
      assert.ok(contrast(colours[`on-${activity}`], colours[activity]) >= 4.5, `on-${activity}`);
    }
  });

  test(`${name}: all text is readable`, () => {
    for (const [text, below] of [["text", "background"], ["text", "surface"], ["text", "raised"],
      ["muted", "background"], ["muted", "surface"], ["accent", "surface"], ["accent", "background"],
      ["on-accent", "accent"], ["warning-text", "warning-surface"], ["bad-text", "bad-surface"]]) {
      assert.ok(contrast(colours[text], colours[below]) >= 4.5, `${text} on ${below}`);
    }
  });

  for (const [eyes, matrix] of Object.entries(EYES)) {
    test(`${name}: ${eyes} eyes tell any two activities apart`, () => {
      const seen = activities.map((activity) => oklab(times(matrix, linear(colours[activity]))));
      for (const [k, one] of seen.entries()) {
        for (const other of seen.slice(0, k)) {
          const distance = Math.hypot(...one.map((value, axis) => value - other[axis]));
          assert.ok(distance >= APART, `${activities[k]}: ${distance.toFixed(3)}`);
        }
      }
    });
  }
}
