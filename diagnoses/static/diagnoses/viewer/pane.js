// One canvas with its words around it: draws a subject as the view has it, the heat over it, the ruler on top.

import { levelFor } from "./pyramid.js";
import { paint } from "./paint.js";

const MOST_DENSE = 2; // canvas pixels for a CSS pixel; a telephone's third costs time and shows nothing
const OPAQUE = { alpha: false };
const WORDS_HIGH = 30; // CSS pixels; a side's mark that was burnt into a corner must not be written over

export class Pane {
  /** `heat` is drawn over the picture where there is one. */
  constructor(box, subject, view, heat) {
    Object.assign(this, { box, subject, view, heat });
    this.canvas = box.querySelector("canvas");
    this.drawing = this.canvas.getContext("2d", OPAQUE);
    this.rough = document.createElement("canvas");
    this.fitToBox();
  }

  get width() {
    return this.canvas.width;
  }

  get height() {
    return this.canvas.height;
  }

  /** What the words above and below leave free. */
  get clearHeight() {
    return Math.max(1, this.height - 2 * WORDS_HIGH * this.ratio);
  }

  get middle() {
    return [this.width / 2, this.height / 2];
  }

  get scale() {
    return this.view.scale(this, this.subject);
  }

  fitToBox() {
    this.ratio = Math.min(MOST_DENSE, window.devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(this.box.clientWidth * this.ratio));
    this.canvas.height = Math.max(1, Math.round(this.box.clientHeight * this.ratio));
  }

  toPicture = (place) => this.view.toPicture(this, this.subject, place);
  toPane = (place) => this.view.toPane(this, this.subject, place);

  /** `coarse` is how many canvas pixels, along a side, are drawn as one. */
  draw(coarse, lengthWordsOf) {
    if (this.subject.levels) this.#drawValues(coarse);
    else this.#drawPlaceholder();
    if (this.heat?.canvas) this.#drawHeat();
    const { ruler } = this.subject;
    if (ruler.ends) ruler.draw(this.drawing, this.toPane, lengthWordsOf(), this.ratio);
  }

  #drawValues(coarse) {
    const { levels, greys } = this.subject;
    const [left, top] = this.toPicture([0, 0]);
    const step = coarse / this.scale;
    const halvings = levelFor(levels, 1 / step);
    const target = this.#target(coarse);
    paint(target, levels[halvings], halvings, { left, top, step }, greys);
    if (coarse === 1) {
      this.drawing.putImageData(target, 0, 0);
      return;
    }
    Object.assign(this.rough, { width: target.width, height: target.height });
    this.rough.getContext("2d", OPAQUE).putImageData(target, 0, 0);
    this.drawing.drawImage(this.rough, 0, 0, target.width * coarse, target.height * coarse);
  }

  #target(coarse) {
    const [width, height] = [this.width, this.height].map((length) => Math.ceil(length / coarse));
    if (this.image?.width !== width || this.image?.height !== height) this.image = new ImageData(width, height);
    return this.image;
  }

  #drawPlaceholder() {
    this.drawing.fillStyle = "#000";
    this.drawing.fillRect(0, 0, this.width, this.height);
    const { placeholder } = this.subject;
    if (placeholder?.complete && placeholder.naturalWidth) this.drawing.drawImage(placeholder, ...this.#place());
  }

  #drawHeat() {
    this.drawing.globalAlpha = this.heat.opacity;
    this.drawing.drawImage(this.heat.canvas, ...this.#place());
    this.drawing.globalAlpha = 1;
  }

  /** Left, top, width and height of the whole picture in this pane. */
  #place() {
    const { columns, rows } = this.subject;
    return [...this.toPane([0, 0]), columns * this.scale, rows * this.scale];
  }
}
