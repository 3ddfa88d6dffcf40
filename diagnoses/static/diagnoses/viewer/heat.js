// The heatmap: few cells, smoothed and coloured here as the server does it, so that sliders need not ask for it again.

import { answerOf } from "./pixels.js";

const EDGE = 224;
const OPAQUE_FROM = 127.5; // as in diagnoses/imaging/heatmap.py
const SHARPNESS = -0.75; // of OpenCV's cubic interpolation

export class Heat {
  opacity = 0.4;
  cutoff = 0;
  canvas = null;
  #levels = null;
  #colours = null;

  /** Whether the model looked nowhere in particular. */
  get isEmpty() {
    return this.#levels.every((heat) => heat < 1);
  }

  async load(url, signal) {
    const blob = await (await answerOf(url, signal)).blob();
    const cells = pixelsOf(await createImageBitmap(blob));
    this.#levels = smoothed(cells);
    this.#colour();
  }

  /** `bar` is the address of the palette's scale, 256 pixels from cold to hot. */
  async setPalette(bar, signal) {
    const blob = await (await answerOf(bar, signal)).blob();
    this.#colours = pixelsOf(await createImageBitmap(blob)).data;
    this.#colour();
  }

  setCutoff(share) {
    this.cutoff = share;
    this.#colour();
  }

  #colour() {
    if (!this.#levels || !this.#colours) return;
    const image = new ImageData(EDGE, EDGE);
    const coldest = Math.max(this.cutoff * 255, 1e-6);
    this.#levels.forEach((heat, place) => {
      if (heat < coldest) return;
      const colour = 4 * Math.floor(heat);
      image.data.set(this.#colours.subarray(colour, colour + 3), 4 * place);
      image.data[4 * place + 3] = Math.min(1, heat / OPAQUE_FROM) * 255;
    });
    this.canvas ??= Object.assign(document.createElement("canvas"), { width: EDGE, height: EDGE });
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }
}

function pixelsOf(bitmap) {
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  drawing.drawImage(bitmap, 0, 0);
  return drawing.getImageData(0, 0, bitmap.width, bitmap.height);
}

function smoothed({ data, width, height }) {
  const across = weightsOf(width);
  const down = weightsOf(height);
  const levels = new Float32Array(EDGE * EDGE);
  for (let y = 0; y < EDGE; y += 1) {
    for (let x = 0; x < EDGE; x += 1) {
      let sum = 0;
      for (const [row, rowWeight] of down[y]) {
        for (const [column, weight] of across[x]) sum += rowWeight * weight * data[4 * (row * width + column)];
      }
      levels[y * EDGE + x] = Math.min(255, Math.max(0, sum));
    }
  }
  return levels;
}

/** For each pixel along a side the four cells that it is made of, with their weights. */
function weightsOf(count) {
  return Array.from({ length: EDGE }, (_, pixel) => {
    const place = ((pixel + 0.5) * count) / EDGE - 0.5;
    const first = Math.floor(place) - 1;
    return [0, 1, 2, 3].map((step) => [
      Math.min(count - 1, Math.max(0, first + step)),
      cubic(Math.abs(place - first - step)),
    ]);
  });
}

function cubic(distance) {
  if (distance <= 1) return ((SHARPNESS + 2) * distance - (SHARPNESS + 3)) * distance * distance + 1;
  if (distance >= 2) return 0;
  return SHARPNESS * (((distance - 5) * distance + 8) * distance - 4);
}
