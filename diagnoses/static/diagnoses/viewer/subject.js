// A picture with what the reader has done to it: its window, its inversion, its ruler.

import { loadPixels } from "./pixels.js";
import { greysOf } from "./paint.js";
import { pyramidOf } from "./pyramid.js";
import { Ruler } from "./ruler.js";

const STRAIGHT = { curve: "linear" };

export class Subject {
  facts = null;
  levels = null;
  ruler = new Ruler();
  inverted = false;
  /** The preset that is on; empty once the window was changed by hand. */
  preset = "";
  low = 0;
  high = 1;
  #look = STRAIGHT;
  #greys = null;

  /** `placeholder` is an image of the same picture, to be shown until the values are there. */
  constructor({ pixels, columns, rows, placeholder, line }) {
    Object.assign(this, { pixels, columns, rows, placeholder, line });
  }

  async load(onShare, signal) {
    const { facts, values } = await loadPixels(this.pixels, onShare, signal);
    [this.facts, this.columns, this.rows] = [facts, facts.columns, facts.rows];
    this.levels = pyramidOf(values, facts.columns, facts.rows);
    this.usePreset("look:0");
  }

  get greys() {
    this.#greys ??= greysOf({ low: this.low, high: this.high, look: this.#look, inverted: this.inverted }, this.facts.highest);
    return this.#greys;
  }

  /** The middle and the width of the window in the modality's own values. */
  get window() {
    const { scale, offset, width_more: more } = this.facts;
    const middle = ((this.low + this.high) / 2) * scale + offset;
    return { level: middle + more / 2, width: (this.high - this.low) * Math.abs(scale) + more };
  }

  setWindow({ level, width }) {
    const { scale, offset, width_more: more } = this.facts;
    const middle = (level - more / 2 - offset) / scale;
    const half = Math.max((width - more) / Math.abs(scale), 1) / 2;
    this.#setBounds(middle - half, middle + half);
    this.preset = "";
  }

  /** Widens the window and raises its middle by shares of the picture's range; higher is darker. */
  nudgeWindow(wider, higher) {
    const [low, high] = this.facts.own_range;
    const range = high - low;
    const width = Math.max(1, this.high - this.low + wider * range);
    const middle = Math.min(high + range / 2, Math.max(low - range / 2, (this.low + this.high) / 2 + higher * range));
    this.#setBounds(middle - width / 2, middle + width / 2);
    this.preset = "";
  }

  /** `look:N` is the file's own Nth; `share:A:B` runs from one share of the picture's range to another; `full`. */
  usePreset(preset) {
    const [kind, ...numbers] = preset.split(":");
    const [low, high] = this.facts.own_range;
    if (kind === "look") {
      this.#look = this.facts.looks[numbers[0]];
      this.#setBounds(this.#look.low, this.#look.high);
    } else {
      this.#look = STRAIGHT;
      const ends = numbers.map((share) => low + share * (high - low));
      this.#setBounds(...(kind === "full" ? [0, Math.max(1, this.facts.highest)] : ends));
    }
    this.preset = preset;
  }

  invert() {
    this.inverted = !this.inverted;
    this.#greys = null;
  }

  reset() {
    this.inverted = false;
    this.ruler.clear();
    if (this.facts) this.usePreset("look:0");
  }

  #setBounds(low, high) {
    [this.low, this.high, this.#greys] = [low, high, null];
  }
}
