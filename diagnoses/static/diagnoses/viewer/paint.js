// From values to what a screen shows: a grey for each value there is, and a picture drawn through that table.

const BLACK = 0xff000000;

/** A grey, as a canvas has it in memory, for each value from 0 to `highest`. */
export function greysOf({ low, high, look, inverted }, highest) {
  const curve = curveOf(look);
  const greys = new Uint32Array(highest + 1);
  const width = Math.max(high - low, 1e-6);
  for (let value = 0; value <= highest; value += 1) {
    const level = curve((value - low) / width);
    const grey = inverted ? 255 - level : level;
    greys[value] = BLACK | (grey << 16) | (grey << 8) | grey;
  }
  return greys;
}

function curveOf(look) {
  const within = (share) => Math.min(1, Math.max(0, share));
  if (look.curve === "table") {
    const levels = Uint8Array.from(atob(look.levels), (byte) => byte.charCodeAt(0));
    return (share) => levels[Math.round(within(share) * (levels.length - 1))];
  }
  if (look.curve === "sigmoid") {
    return (share) => Math.floor(255 / (1 + Math.exp(-4 * (share - 0.5))) + 0.5);
  }
  return (share) => Math.floor(within(share) * 255 + 0.5);
}

/**
 * Draws into `target`, an ImageData. `left` and `top` are the place in the picture, in its own pixels, of the target's
 * corner, and `step` is how far one pixel of the target is in it; `halvings` is the number of the pyramid's level.
 * Values are weighed before they are looked up, as a film's grain is before anybody holds it against the light.
 */
export function paint(target, level, halvings, { left, top, step }, greys) {
  const { width, height } = target;
  const out = new Uint32Array(target.data.buffer);
  const across = placesOf(width, level.columns, halvings, left, step);
  const down = placesOf(height, level.rows, halvings, top, step);
  out.fill(BLACK);
  for (let y = down.from; y < down.to; y += 1) {
    const above = down.places[y] * level.columns;
    const below = down.nexts[y] * level.columns;
    paintRow(out, y * width, level.values, above, below, down.weights[y], across, greys);
  }
}

function paintRow(out, start, values, above, below, weight, { from, to, places, nexts, weights }, greys) {
  for (let x = from; x < to; x += 1) {
    const here = places[x];
    const next = nexts[x];
    const share = weights[x];
    let upper = values[above + here];
    upper += ((values[above + next] - upper) * share) >> 8;
    let lower = values[below + here];
    lower += ((values[below + next] - lower) * share) >> 8;
    out[start + x] = greys[upper + (((lower - upper) * weight) >> 8)];
  }
}

/** Along one side: which value and which next one each pixel is drawn from, and the next one's weight of 256. */
function placesOf(length, count, halvings, start, step) {
  const places = new Int32Array(length);
  const nexts = new Int32Array(length);
  const weights = new Int32Array(length);
  const size = 2 ** halvings;
  const first = Math.max(0, Math.ceil(-start / step - 0.5));
  const end = Math.min(length, Math.ceil((count * size - start) / step - 0.5));
  for (let pixel = first; pixel < end; pixel += 1) {
    const place = Math.min(count - 1, Math.max(0, (start + (pixel + 0.5) * step) / size - 0.5));
    places[pixel] = Math.floor(place);
    nexts[pixel] = Math.min(count - 1, places[pixel] + 1);
    weights[pixel] = Math.floor((place - places[pixel]) * 256);
  }
  return { from: first, to: end, places, nexts, weights };
}
