// A line between two places of a picture, and how long it is.

const REACH = 14; // CSS pixels around an end within which it is taken hold of

export class Ruler {
  /** Two places in the picture, in its pixels. */
  ends = null;
  /** The end that the arrow keys move. */
  held = 1;
  /** Whether the second end follows the pointer until it is set by a click. */
  open = false;

  start(place) {
    [this.ends, this.held, this.open] = [[[...place], [...place]], 1, true];
  }

  moveHeld(place) {
    this.ends[this.held] = [...place];
  }

  clear() {
    [this.ends, this.open] = [null, false];
  }

  get isLine() {
    return this.ends !== null && (this.ends[0][0] !== this.ends[1][0] || this.ends[0][1] !== this.ends[1][1]);
  }

  /** Takes hold of the end at a place of the pane; false where there is none. */
  take(toPane, [x, y], ratio) {
    const end = (this.ends ?? []).findIndex((place) => {
      const [endX, endY] = toPane(place);
      return Math.hypot(endX - x, endY - y) < REACH * ratio;
    });
    if (end >= 0) this.held = end;
    return end >= 0;
  }

  /** Millimetres where the picture says how far its pixels are apart, pixels where it does not. */
  length(spacing) {
    const [[x, y], [toX, toY]] = this.ends;
    return spacing
      ? { value: Math.hypot((toX - x) * spacing.across, (toY - y) * spacing.down), unit: "mm", place: spacing.place }
      : { value: Math.hypot(toX - x, toY - y), unit: "pixels", place: "" };
  }

  draw(drawing, toPane, label, ratio) {
    const [from, to] = this.ends.map(toPane);
    drawing.lineCap = "round";
    for (const [colour, width] of [["#000", 4], ["#ffd43b", 1.75]]) {
      [drawing.strokeStyle, drawing.lineWidth] = [colour, width * ratio];
      drawing.beginPath();
      drawing.moveTo(...from);
      drawing.lineTo(...to);
      for (const [end, place] of [from, to].entries()) {
        const radius = (end === this.held ? 6 : 4) * ratio;
        drawing.moveTo(place[0] + radius, place[1]);
        drawing.arc(...place, radius, 0, 2 * Math.PI);
      }
      drawing.stroke();
    }
    if (this.isLine) write(drawing, label, [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2], ratio);
  }
}

function write(drawing, words, [x, y], ratio) {
  drawing.font = `600 ${14 * ratio}px system-ui, sans-serif`;
  const width = drawing.measureText(words).width;
  const left = Math.min(drawing.canvas.width - width - 6 * ratio, Math.max(6 * ratio, x + 10 * ratio));
  const base = Math.min(drawing.canvas.height - 8 * ratio, Math.max(20 * ratio, y - 10 * ratio));
  [drawing.strokeStyle, drawing.lineWidth, drawing.lineJoin] = ["#000", 4 * ratio, "round"];
  drawing.strokeText(words, left, base);
  drawing.fillStyle = "#ffd43b";
  drawing.fillText(words, left, base);
}
