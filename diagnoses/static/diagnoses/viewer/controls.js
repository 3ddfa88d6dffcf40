// The toolbar: what its buttons and fields do, and how they show what is.

import { digitsFor, percent } from "./words.js";

const ZOOM_STEP = 1.25;
const PAN_STEP = 0.1;
const WINDOW_STEP = 0.04;

/** What can be asked of a viewer, by the name that a button or a key has for it. */
export const ACTS = {
  in: (viewer) => viewer.zoom(ZOOM_STEP),
  out: (viewer) => viewer.zoom(1 / ZOOM_STEP),
  fit: (viewer) => viewer.fit(),
  oneToOne: (viewer) => viewer.oneToOne(),
  left: (viewer) => viewer.step(-PAN_STEP, 0),
  right: (viewer) => viewer.step(PAN_STEP, 0),
  up: (viewer) => viewer.step(0, -PAN_STEP),
  down: (viewer) => viewer.step(0, PAN_STEP),
  narrower: (viewer) => viewer.nudgeWindow(viewer.active, -WINDOW_STEP, 0),
  wider: (viewer) => viewer.nudgeWindow(viewer.active, WINDOW_STEP, 0),
  brighter: (viewer) => viewer.nudgeWindow(viewer.active, 0, -WINDOW_STEP),
  darker: (viewer) => viewer.nudgeWindow(viewer.active, 0, WINDOW_STEP),
  invert: (viewer) => viewer.change((subject) => subject.invert()),
  preset: (viewer) => viewer.change((subject) => subject.usePreset(presetAfter(viewer, subject.preset))),
  reset: (viewer) => viewer.reset(),
  screen: (viewer) => viewer.toggleFullScreen(),
  keys: (viewer) => viewer.root.querySelector("[data-keys]").showModal(),
  swapEnds: (viewer) => {
    const { ruler } = viewer.active.subject;
    ruler.held = 1 - ruler.held;
    viewer.changed();
  },
  clearRuler: (viewer) => viewer.clearRuler(),
  heat: (viewer) => {
    const modes = ["over", "beside", "off"];
    if (viewer.heat) viewer.setMode(modes[(modes.indexOf(viewer.mode) + 1) % modes.length]);
  },
};

export function readControls(viewer) {
  const { root, signal, heat } = viewer;
  // What a browser kept in the fields, over a reload or from before a rest, counts from the start.
  const compare = root.querySelector("[data-compare]");
  if (compare) compare.value = "";
  if (heat) {
    heat.opacity = root.querySelector("[data-opacity]").value / 100;
    heat.setCutoff(root.querySelector("[data-cutoff]").value / 100);
  }
  const on = (selector, name, act) => {
    root.querySelector(selector)?.addEventListener(name, (event) => act(event.target), { signal });
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act], [data-tool]");
    if (button?.dataset.act) ACTS[button.dataset.act](viewer);
    else if (button) viewer.setTool(button.dataset.tool, event.detail === 0);
  }, { signal });
  on("[data-preset]", "change", ({ value }) => value && viewer.change((subject) => subject.usePreset(value)));
  for (const name of ["level", "width"]) {
    on(`[data-${name}]`, "input", ({ valueAsNumber }) => {
      if (Number.isFinite(valueAsNumber)) viewer.change((subject) => subject.setWindow({ ...subject.window, [name]: valueAsNumber }));
    });
  }
  on("[data-compare]", "change", ({ selectedOptions }) => viewer.compareWith(selectedOptions[0]));
  on("[data-mode]", "change", ({ value }) => viewer.setMode(value));
  on("[data-opacity]", "input", ({ value }) => {
    heat.opacity = value / 100;
    viewer.changed();
  });
  on("[data-cutoff]", "input", ({ value }) => {
    heat.setCutoff(value / 100);
    viewer.changed();
  });
  on("[data-palette]", "change", ({ selectedOptions }) => usePalette(viewer, selectedOptions[0].dataset.bar));
}

/** Brings buttons, fields and the words around the panes up to what is. */
export function showState(viewer) {
  const { root, active } = viewer;
  const { facts, preset, inverted, ruler } = active.subject;
  for (const button of root.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === viewer.tool));
  }
  root.querySelector("[data-act=invert]").setAttribute("aria-pressed", String(inverted));
  for (const group of root.querySelectorAll("[data-needs-values]")) group.disabled = !facts;
  for (const group of root.querySelectorAll("[data-for]")) group.hidden = group.dataset.for !== viewer.tool;
  root.querySelector("[data-act=clearRuler]").disabled = !ruler.ends;
  const mode = root.querySelector("[data-mode]");
  if (mode) mode.value = viewer.mode;
  if (facts) showWindow(root, active.subject);
  const presets = root.querySelector("[data-preset]");
  listLooks(presets, facts);
  presets.value = preset;
  for (const pane of viewer.panes) showPane(viewer, pane);
}

async function usePalette(viewer, bar) {
  try {
    await viewer.heat.setPalette(bar, viewer.signal);
    viewer.root.querySelector("[data-scale]").src = bar;
    if (viewer.heat.canvas) viewer.missHeat("");
  } catch {
    if (!viewer.ended) viewer.missHeat(viewer.words("noPalette"));
  }
  viewer.changed();
}

function presetAfter(viewer, preset) {
  const values = [...viewer.root.querySelector("[data-preset]").options].map(({ value }) => value).filter(Boolean);
  return values[(values.indexOf(preset) + 1) % values.length];
}

/** The file's own looks, by their names where it has any, before those that go with any picture. */
function listLooks(select, facts) {
  const looks = facts?.looks ?? [];
  const names = looks.map(({ name }, place) => name || select.dataset.own + (place ? ` ${place + 1}` : ""));
  if (select.dataset.looks === names.join("\n")) return;
  select.dataset.looks = names.join("\n");
  for (const option of select.querySelectorAll("[value^=look]")) option.remove();
  const options = names.map((name, place) => new Option(name, `look:${place}`));
  select.options[0].after(...options);
}

function showWindow(root, { facts, window }) {
  const range = Math.abs(facts.scale) * (facts.own_range[1] - facts.own_range[0]);
  for (const [name, value] of Object.entries(window)) {
    const field = root.querySelector(`[data-${name}]`);
    field.step = 10 ** Math.floor(Math.log10(range / 25));
    if (document.activeElement !== field) field.value = value.toFixed(digitsFor(range));
  }
}

function showPane(viewer, pane) {
  const { box, subject } = pane;
  const part = (name) => box.querySelector(`[data-${name}]`);
  const { words, mayRetry } = subject.waiting ?? { words: "", mayRetry: false };
  part("wait").hidden = !words;
  part("wait-words").textContent = words;
  part("retry").hidden = !mayRetry;
  box.classList.toggle("active", viewer.panes.length > 1 && pane === viewer.active);
  const left = subject.facts?.viewers_left;
  part("left").textContent = left ?? "";
  part("right").textContent = { R: "L", L: "R" }[left] ?? "";
  part("sides").textContent = subject.facts ? sideWords(viewer, subject.facts) : "";
  const zoom = viewer.words("zoom", { zoom: percent(pane.scale) });
  part("values").textContent = subject.facts ? `${viewer.windowWords(subject)} · ${zoom}` : zoom;
  part("length").textContent = viewer.lengthWords(subject);
}

function sideWords(viewer, { viewers_left: left, body_side: side }) {
  const exposed = side && viewer.words("exposed", { side });
  return [left ? "" : viewer.words("sidesAsSent"), exposed].filter(Boolean).join(" · ");
}
