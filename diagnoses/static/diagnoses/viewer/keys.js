// The keyboard: it counts as long as the focus is inside of the viewer, and never where something is typed.

import { ACTS } from "./controls.js";

const TOOLS = { w: "window", m: "pan", r: "ruler" };
const KEYS = {
  "+": "in",
  "=": "in",
  "-": "out",
  0: "fit",
  1: "oneToOne",
  i: "invert",
  p: "preset",
  h: "heat",
  f: "screen",
  x: "reset",
  e: "swapEnds",
  Delete: "clearRuler",
  Backspace: "clearRuler",
  "?": "keys",
};
const ARROWS = {
  ArrowLeft: { window: "narrower", pan: "left", ruler: [-1, 0] },
  ArrowRight: { window: "wider", pan: "right", ruler: [1, 0] },
  ArrowUp: { window: "brighter", pan: "up", ruler: [0, -1] },
  ArrowDown: { window: "darker", pan: "down", ruler: [0, 1] },
};
const LONG_STEP = 10;

export function listenForKeys(viewer) {
  viewer.root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "Escape") viewer.root.classList.remove("filling");
    else if (act(viewer, key, event.shiftKey)) event.preventDefault();
  }, { signal: viewer.signal });
}

function act(viewer, key, isLong) {
  const arrow = ARROWS[key]?.[viewer.tool];
  if (Array.isArray(arrow)) viewer.stepRuler(...arrow.map((step) => step * (isLong ? LONG_STEP : 1)));
  else if (arrow) ACTS[arrow](viewer);
  else if (KEYS[key]) ACTS[KEYS[key]](viewer);
  else if (TOOLS[key]) viewer.setTool(TOOLS[key], true);
  else return false;
  return true;
}
