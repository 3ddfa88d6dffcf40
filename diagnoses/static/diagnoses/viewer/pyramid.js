// Smaller copies of a picture, each half as large as the one before and averaged from it, so that a picture that is
// shown small is drawn from about as many values as the screen has pixels, and without grain that is not there.

const SMALLEST_EDGE = 400;

export function pyramidOf(values, columns, rows) {
  const levels = [{ values, columns, rows }];
  for (let last = levels[0]; Math.max(last.columns, last.rows) > SMALLEST_EDGE; last = levels.at(-1)) {
    levels.push(halved(last));
  }
  return levels;
}

/** The level to draw from: one to two of its values for each pixel that is drawn, along each side. */
export function levelFor(levels, scale) {
  const wanted = Math.floor(Math.log2(1 / scale) + 1e-6);
  return Math.min(levels.length - 1, Math.max(0, wanted));
}

function halved({ values, columns, rows }) {
  const [halfColumns, halfRows] = [columns >> 1, rows >> 1];
  const half = new values.constructor(halfColumns * halfRows);
  for (let row = 0, to = 0; row < halfRows; row += 1) {
    let above = 2 * row * columns;
    let below = above + columns;
    for (let column = 0; column < halfColumns; column += 1, above += 2, below += 2) {
      half[to++] = (values[above] + values[above + 1] + values[below] + values[below + 1] + 2) >> 2;
    }
  }
  return { values: half, columns: halfColumns, rows: halfRows };
}
