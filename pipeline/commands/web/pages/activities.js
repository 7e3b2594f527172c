// What a page shows of each activity: title, letter, icon and colour. No DOM.
//
// Activities are those of the models in use, by the names that they have there; none is known
// beforehand. A colour goes by the place in the model's list, so that it is the same on every page;
// where there are more activities than colours, they come again with stripes. The letter is unique.

/** Colours in theme.css, `--activity-0` and so on. */
export const COLOURS = 7;

const TRANSITION = { name: "transition", title: "In transition", letter: "~", icon: "transition" };
const UNKNOWN = { name: "unknown", title: "Unknown", letter: "?", icon: "unknown" };

const ICONS = [
  [/UP/, "upstairs"],
  [/DOWN/, "downstairs"],
  [/WALK/, "walking"],
  [/RUN|JOG/, "running"],
  [/CYCL|BIK/, "cycling"],
  [/SIT/, "sitting"],
  [/STAND/, "standing"],
  [/LAY|LIE|LYING|SLEEP/, "laying"],
];
/** Parts of an activity's name, and the icon that shows it; the first that is in the name. */

/** The activities that a page shows. */
export class Activities {
  constructor(names) {
    this.names = [...names];
    const letters = uniqueLetters(this.names);
    this._byName = new Map();
    this.names.forEach((name, place) => {
      this._byName.set(name, {
        name,
        title: titleOf(name),
        letter: letters[place],
        icon: iconOf(name),
        colour: `activity-${place % COLOURS}`,
        pattern: place < COLOURS ? "plain" : "stripes",
        place,
      });
    });
    const last = this.names.length;
    this._byName.set("transition", {
      ...TRANSITION, colour: "transition", pattern: "hatched", place: last,
    });
    this._byName.set("unknown", {
      ...UNKNOWN, colour: "unknown", pattern: "dotted", place: last + 1,
    });
  }

  /** All of them, `transition` and `unknown` last. */
  all() {
    return [...this._byName.values()];
  }

  /** What is shown of an activity; a name that no model has stands for itself, as unknown. */
  of(name) {
    const known = this._byName.get(name ?? "unknown");
    return known ?? { ...this._byName.get("unknown"), name, title: titleOf(name) };
  }
}

/** A name in words: "WALKING_UPSTAIRS" is "Walking upstairs". */
export function titleOf(name) {
  const words = String(name).replaceAll(/[_\s]+/g, " ").trim().toLowerCase();
  return words ? words[0].toUpperCase() + words.slice(1) : "Unnamed";
}

function iconOf(name) {
  const found = ICONS.find(([pattern]) => pattern.test(String(name).toUpperCase()));
  return found ? found[1] : "other";
}

/** One letter for each name, all different: an initial if one is left, else any letter, else a
 *  number. The last word is asked first, as it tells "walking upstairs" from "walking". */
export function uniqueLetters(names) {
  const taken = new Set();
  return names.map((name, place) => {
    const words = String(name).toUpperCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean).reverse();
    const wanted = [...words.map((word) => word[0]), ...words.flatMap((word) => [...word])];
    const letter = wanted.find((one) => !taken.has(one)) ?? String(place + 1);
    taken.add(letter);
    return letter;
  });
}
