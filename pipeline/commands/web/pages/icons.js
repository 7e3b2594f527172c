// Icons of activities, drawn in strokes on a square of 24.

import { svgElement } from "./elements.js";

const HEAD = "M14 5.2a2 2 0 1 1-4 0a2 2 0 1 1 4 0";

const STROKES = {
  walking: ["M14.5 4.4a1.9 1.9 0 1 1-3.8 0a1.9 1.9 0 1 1 3.8 0",
    "M12.2 8.2l-1.2 6 3.2 3 .8 4.3", "M11 14.2l-1.4 4-2.6 3.3",
    "M12.2 8.2l-3.4 1.7-1.3 3.2", "M12.2 8.2l2 3 2.8 1.3"],
  upstairs: ["M9.4 5a1.8 1.8 0 1 1-3.6 0a1.8 1.8 0 1 1 3.6 0",
    "M8 8.6l.6 5 3 1.4.2 3.4", "M8.6 13.6l-2 3.6-.6 3.2", "M8 8.6l3.6 2.6",
    "M10 21.4h4v-3.6h3.6v-3.6h4", "M16 8.6l2.6-2.8 2.6 2.8", "M18.6 5.8v5.4"],
  downstairs: ["M9.4 3.6a1.8 1.8 0 1 1-3.6 0a1.8 1.8 0 1 1 3.6 0",
    "M7.6 7l.2 5 2.8 2 .2 3.4", "M7.8 12l-2.6 2.6", "M7.6 7l3.4 2.6",
    "M2.6 14.6h3.6v3.4h6.8v3.6h8.4", "M16 8.4l2.6 2.8 2.6-2.8", "M18.6 11.2v-5.4"],
  sitting: ["M10.4 4.4a1.9 1.9 0 1 1-3.8 0a1.9 1.9 0 1 1 3.8 0", "M8.6 8.2v6.4h6l1.6 6",
    "M8.8 10.8h4.4", "M5 9.6v8.2h7", "M5.6 17.8v3.6"],
  standing: [HEAD, "M12 8.6v6.8", "M12 15.4l-2 6.2", "M12 15.4l2 6.2", "M12 9.6l-3.4 4.6",
    "M12 9.6l3.4 4.6"],
  laying: ["M6.4 12.6a1.9 1.9 0 1 1-3.8 0a1.9 1.9 0 1 1 3.8 0", "M8.4 13.6h7l6 .6",
    "M9.4 13.6l3.4-2.6 3.2.4", "M2.2 17.6h19.6"],
  running: ["M16.6 4a1.9 1.9 0 1 1-3.8 0a1.9 1.9 0 1 1 3.8 0", "M12.8 8l-2.4 5.4 4 2.4-1 5.2",
    "M10.4 13.4l-2 3.4-5 .6", "M12.8 8l-4.4.4-2 3.2", "M12.8 8l2.4 3.4 3.8-.6"],
  cycling: ["M9 17a3.6 3.6 0 1 1-7.2 0a3.6 3.6 0 1 1 7.2 0",
    "M22.2 17a3.6 3.6 0 1 1-7.2 0a3.6 3.6 0 1 1 7.2 0", "M12 17.4l.4-4-3.4-2.4 4-3.4 2 3h3.4",
    "M16.6 4.6a1.6 1.6 0 1 1-3.2 0a1.6 1.6 0 1 1 3.2 0"],
  transition: ["M4 9h14", "M14.6 5.4L18.4 9l-3.8 3.6", "M20 16H6", "M9.4 12.6L5.6 16l3.8 3.6"],
  unknown: ["M8.6 9.2a3.4 3.4 0 1 1 5.2 2.9c-1.2.8-1.8 1.5-1.8 3", "M12 18.6v.2"],
  other: ["M3 13h3.4l2.4-7 4.4 12 2.8-7.4 1.2 2.4H21"],
};

/** Return the icon of an activity, or of another name in `STROKES`; it is decoration. */
export function icon(name, className = "icon") {
  const strokes = STROKES[name] ?? STROKES.other;
  return svgElement(
    "svg", { class: className, viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    strokes.map((d) => svgElement("path", { d })),
  );
}
