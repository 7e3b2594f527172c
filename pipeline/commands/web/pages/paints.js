// The colours and patterns of the theme, as a canvas takes them.

/** What canvases are painted with; read anew when the theme changes. */
export class Paints {
  constructor() {
    this._patterns = new Map();
    this.refresh();
  }

  /** Read the theme's colours. */
  refresh() {
    const style = getComputedStyle(document.documentElement);
    const known = new Map();
    this._read = (name) => {
      if (!known.has(name)) known.set(name, style.getPropertyValue(`--${name}`).trim());
      return known.get(name);
    };
    this._patterns.clear();
    this.axes = [this._read("axis-x"), this._read("axis-y"), this._read("axis-z")];
    this.text = this._read("text");
    this.muted = this._read("muted");
    this.line = this._read("line");
    this.surface = this._read("surface");
  }

  /** Return the plain colour of an activity. */
  colour(activity) {
    return this._read(activity.colour);
  }

  /** Return the colour of a letter on an activity's colour. */
  letterOn(activity) {
    return this._read(`on-${activity.colour}`);
  }

  /** Return what fills an activity's area: its colour, and a pattern where it has one. */
  fill(context, activity) {
    const key = `${activity.colour}/${activity.pattern}`;
    if (!this._patterns.has(key)) this._patterns.set(key, this._make(context, activity));
    return this._patterns.get(key);
  }

  _make(context, activity) {
    const colour = this.colour(activity);
    if (activity.pattern === "plain") return colour;
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const brush = tile.getContext("2d");
    brush.fillStyle = activity.pattern === "stripes" ? colour : this.surface;
    brush.fillRect(0, 0, 8, 8);
    brush.strokeStyle = activity.pattern === "stripes" ? this.surface : colour;
    brush.fillStyle = colour;
    brush.lineWidth = 2;
    if (activity.pattern === "dotted") {
      brush.fillRect(1, 1, 2, 2);
      brush.fillRect(5, 5, 2, 2);
    } else {
      brush.beginPath();
      for (const shift of [-8, 0, 8]) {
        brush.moveTo(shift - 1, 9);
        brush.lineTo(shift + 9, -1);
      }
      brush.stroke();
    }
    return context.createPattern(tile, "repeat");
  }
}
