// What part of a picture a pane shows. Linked panes share one view: a zoom of 1 fits the picture into its pane, between
// the words above and below, and the centre is given in shares of the picture's width and height, so that pictures of
// other sizes follow along.

const LEAST = 0.5;
const MOST = 60;

export class View {
  zoom = 1;
  x = 0.5;
  y = 0.5;

  fit() {
    [this.zoom, this.x, this.y] = [1, 0.5, 0.5];
  }

  /** Pane pixels for each pixel of the picture. */
  scale(pane, picture) {
    return Math.min(pane.width / picture.columns, pane.clearHeight / picture.rows) * this.zoom;
  }

  /** The place in the picture, in its pixels, that is at a place of the pane. */
  toPicture(pane, picture, [x, y]) {
    const scale = this.scale(pane, picture);
    return [
      this.x * picture.columns + (x - pane.middle[0]) / scale,
      this.y * picture.rows + (y - pane.middle[1]) / scale,
    ];
  }

  /** The place in the pane of a place in the picture. */
  toPane(pane, picture, [x, y]) {
    const scale = this.scale(pane, picture);
    return [
      (x - this.x * picture.columns) * scale + pane.middle[0],
      (y - this.y * picture.rows) * scale + pane.middle[1],
    ];
  }

  /** Moves the picture by so many pane pixels; its middle never leaves it. */
  pan(pane, picture, dx, dy) {
    const scale = this.scale(pane, picture);
    this.x = share(this.x - dx / scale / picture.columns);
    this.y = share(this.y - dy / scale / picture.rows);
  }

  /** Zooms by a factor; what is at `place` of the pane stays there. */
  zoomAt(pane, picture, place, factor) {
    const [x, y] = this.toPicture(pane, picture, place);
    this.zoom = Math.min(MOST, Math.max(LEAST, this.zoom * factor));
    const scale = this.scale(pane, picture);
    this.x = share((x - (place[0] - pane.middle[0]) / scale) / picture.columns);
    this.y = share((y - (place[1] - pane.middle[1]) / scale) / picture.rows);
  }
}

function share(value) {
  return Math.min(1, Math.max(0, value));
}
