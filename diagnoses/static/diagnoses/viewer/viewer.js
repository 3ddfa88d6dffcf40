// One viewer: its pictures, its panes, and everything that a reader can do to them.

import { readControls, showState } from "./controls.js";
import { listen } from "./gestures.js";
import { Heat } from "./heat.js";
import { listenForKeys } from "./keys.js";
import { Pane } from "./pane.js";
import { LoadError } from "./pixels.js";
import { Subject } from "./subject.js";
import { View } from "./view.js";
import { digitsFor, number, percent, wordsOf } from "./words.js";

const FRAME_MS = 20;
const QUIET_MS = 160;
const SAY_AFTER_MS = 350;

export class Viewer {
  tool = "window";
  view = new View();
  mode = "over";
  panes = [];
  heat = null;
  other = null;
  #ending = new AbortController();
  #otherEnding = null;
  #panesEnding = new AbortController();
  #frame = 0;
  #cost = 0;
  #quietTimer = 0;
  #sayTimer = 0;
  #resizing = new ResizeObserver(() => this.#fitPanes());

  constructor(root) {
    this.root = root;
    this.words = wordsOf(root);
    this.plain = root.querySelector("[data-plain]");
    this.boxes = root.querySelector("[data-panes]");
    this.main = new Subject({
      pixels: root.dataset.pixels,
      columns: Number(root.dataset.columns),
      rows: Number(root.dataset.rows),
      placeholder: this.plain.querySelector("img"),
      line: root.dataset.line,
    });
    if (root.dataset.heatmap) this.heat = new Heat();
    else this.mode = "off";
  }

  get signal() {
    return this.#ending.signal;
  }

  get active() {
    return this.panes.find((pane) => pane.isActive) ?? this.panes[0];
  }

  get ended() {
    return this.signal.aborted;
  }

  start() {
    this.root.classList.add("started");
    this.main.placeholder.loading = "eager";
    this.main.placeholder.addEventListener("load", () => this.changed(), { signal: this.signal });
    this.#resizing.observe(this.boxes);
    readControls(this);
    listenForKeys(this);
    this.arrange();
    this.load(this.main, this.signal);
    if (this.heat) this.#loadHeat();
  }

  /** Lets go of everything; the plain picture stays. */
  stop() {
    for (const each of [this.#otherEnding, this.#panesEnding, this.#ending]) each?.abort();
    this.#resizing.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#quietTimer);
    clearTimeout(this.#sayTimer);
    this.boxes.replaceChildren();
    this.panes = [];
    this.root.classList.remove("started");
  }

  async load(subject, signal) {
    this.#wait(subject, this.words("loading", { share: percent(0) }));
    try {
      await subject.load((share) => this.#wait(subject, this.words("loading", { share: percent(share) })), signal);
      this.#wait(subject, "");
      this.say(this.words("loaded"));
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof LoadError ? error.reason : "unreachable";
      this.#wait(subject, this.words(reason), true);
    }
    this.changed();
  }

  /** A pane for each thing that is to be seen side by side. */
  arrange() {
    const hadFocus = this.boxes.contains(document.activeElement);
    this.#panesEnding.abort();
    this.#panesEnding = new AbortController();
    const wanted = [[this.main, this.mode === "over"]];
    if (this.mode === "beside") wanted.push([this.main, true]);
    if (this.other) wanted.push([this.other, false]);
    this.boxes.replaceChildren();
    this.panes = wanted.map(([subject, withHeat]) => this.#pane(subject, withHeat && this.heat));
    this.#fitPanes();
    if (hadFocus) this.panes[0].box.focus({ preventScroll: true });
  }

  activate(pane) {
    for (const each of this.panes) each.isActive = each === pane;
    if (document.activeElement !== pane.box) pane.box.focus({ preventScroll: true });
    this.changed();
  }

  compareWith(option) {
    this.#otherEnding?.abort();
    this.other = null;
    if (option?.dataset.pixels) {
      const { pixels, picture, columns, rows, line } = option.dataset;
      const placeholder = Object.assign(new Image(), { src: picture });
      this.#otherEnding = new AbortController();
      placeholder.addEventListener("load", () => this.changed(), { signal: this.#otherEnding.signal });
      this.other = new Subject({ pixels, columns: Number(columns), rows: Number(rows), placeholder, line });
    }
    this.arrange();
    if (this.other) this.load(this.other, this.#otherEnding.signal);
  }

  setMode(mode) {
    this.mode = mode;
    this.arrange();
  }

  /** Who has no pointer gets a ruler to move; who has one draws it where it is wanted. */
  setTool(tool, isByKey) {
    this.tool = tool;
    for (const { subject } of this.panes) subject.ruler.open = false;
    if (tool === "ruler" && isByKey) this.#placeRuler();
    this.changed();
  }

  pan(pane, dx, dy) {
    this.view.pan(pane, pane.subject, dx, dy);
    this.changed();
  }

  zoomAt(pane, place, factor) {
    this.view.zoomAt(pane, pane.subject, place, factor);
    this.changed();
  }

  /** Zooms at the middle of the pane. */
  zoom(factor) {
    const pane = this.active;
    this.zoomAt(pane, pane.middle, factor);
    this.saySoon(() => this.words("zoom", { zoom: percent(pane.scale) }));
  }

  fit() {
    this.view.fit();
    this.changed();
  }

  oneToOne() {
    this.zoom(1 / this.active.scale);
  }

  /** Moves the picture by shares of its pane. */
  step(across, down) {
    const pane = this.active;
    this.pan(pane, across * pane.width, down * pane.height);
  }

  nudgeWindow(pane, wider, higher) {
    if (!pane.subject.facts) return;
    pane.subject.nudgeWindow(wider, higher);
    this.changed();
    this.saySoon(() => this.windowWords(pane.subject));
  }

  /** Does something to the subject that is being worked on. */
  change(act) {
    if (!this.active.subject.facts) return;
    act(this.active.subject);
    this.changed();
    this.saySoon(() => this.windowWords(this.active.subject));
  }

  reset() {
    this.view.fit();
    for (const subject of [this.main, this.other]) subject?.reset();
    this.changed();
    this.say(this.words("resetDone"));
  }

  /** Moves the ruler's held end by so many CSS pixels. */
  stepRuler(across, down) {
    const { subject, scale, ratio } = this.active;
    if (!subject.ruler.ends) this.#placeRuler();
    const [x, y] = subject.ruler.ends[subject.ruler.held];
    subject.ruler.moveHeld([x + (across * ratio) / scale, y + (down * ratio) / scale]);
    subject.ruler.open = false;
    this.tellRuler();
    this.changed();
  }

  clearRuler() {
    this.active.subject.ruler.clear();
    this.changed();
  }

  tellRuler() {
    const { subject } = this.active;
    if (subject.ruler.isLine) this.saySoon(() => this.lengthWords(subject));
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.root.requestFullscreen) this.root.requestFullscreen().catch(() => this.#fillWindow());
    else this.#fillWindow();
  }

  /** For beside the line; where the millimetres hold stands below the picture. */
  shortLengthWords({ ruler, facts }) {
    const { value, unit } = ruler.length(facts?.spacing);
    return this.words(unit === "mm" ? "mm" : "px", { length: number(value, unit === "mm" ? 1 : 0) });
  }

  lengthWords({ ruler, facts }) {
    if (!ruler.isLine) return "";
    const { value, unit, place } = ruler.length(facts?.spacing);
    if (unit === "pixels") return this.words("pixels", { length: number(value) });
    const name = { detector: "mmDetector", patient: "mmPatient" }[place] ?? "mmFile";
    return this.words(name, { length: number(value, 1) });
  }

  windowWords({ facts, window }) {
    const digits = digitsFor(Math.abs(facts.scale) * (facts.own_range[1] - facts.own_range[0]));
    const unit = facts.unit && ` ${facts.unit}`;
    return this.words("window", { level: number(window.level, digits) + unit, width: number(window.width, digits) + unit });
  }

  /** Draws anew with the next frame; roughly at first where a whole one takes too long. */
  changed() {
    if (this.#frame || this.ended) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const isRough = this.#cost > FRAME_MS;
      this.#draw(isRough ? 2 : 1);
      clearTimeout(this.#quietTimer);
      if (isRough) this.#quietTimer = setTimeout(() => this.#draw(1), QUIET_MS);
    });
  }

  say(words) {
    this.root.querySelector("[data-say]").textContent = words;
  }

  /** What of the heatmap did not come, for eyes and ears; nothing once it has. */
  missHeat(words) {
    const place = this.root.querySelector("[data-missed]");
    [place.textContent, place.hidden] = [words, !words];
    if (words) this.say(words);
  }

  /** Once a hand rests, so that not every step on the way is read out. */
  saySoon(words) {
    clearTimeout(this.#sayTimer);
    this.#sayTimer = setTimeout(() => this.say(words()), SAY_AFTER_MS);
  }

  #draw(coarse) {
    if (this.ended) return;
    const began = performance.now();
    for (const pane of this.panes) pane.draw(coarse, () => this.shortLengthWords(pane.subject));
    if (coarse === 1) this.#cost = performance.now() - began;
    showState(this);
  }

  #pane(subject, heat) {
    const box = this.root.querySelector("template[data-pane]").content.firstElementChild.cloneNode(true);
    box.setAttribute("aria-label", `${box.getAttribute("aria-label")} ${subject.line}`);
    box.querySelector("[data-line]").textContent = subject.line;
    box.querySelector("[data-retry]").addEventListener("click", () => this.#retry(subject));
    this.boxes.append(box);
    const pane = new Pane(box, subject, this.view, heat || null);
    box.addEventListener("focus", () => this.active !== pane && this.activate(pane));
    listen(pane, this, this.#panesEnding.signal);
    return pane;
  }

  #retry(subject) {
    this.load(subject, subject === this.main ? this.signal : this.#otherEnding.signal);
  }

  #fitPanes() {
    for (const pane of this.panes) pane.fitToBox();
    // At once: a canvas is empty as soon as its size is set.
    if (this.panes.length) this.#draw(1);
  }

  async #loadHeat() {
    try {
      const bar = this.root.querySelector("[data-palette]").selectedOptions[0].dataset.bar;
      await Promise.all([this.heat.load(this.root.dataset.heatmap, this.signal), this.heat.setPalette(bar, this.signal)]);
      this.root.querySelector("[data-empty]").hidden = !this.heat.isEmpty;
      this.missHeat("");
    } catch {
      if (!this.ended) this.missHeat(this.words("noHeatmap"));
    }
    this.changed();
  }

  #wait(subject, words, mayRetry = false) {
    subject.waiting = { words, mayRetry };
    this.changed();
  }

  #placeRuler() {
    const pane = this.active;
    const { ruler } = pane.subject;
    if (ruler.ends) return;
    const [x, y] = pane.middle;
    ruler.start(pane.toPicture([x - pane.width / 8, y]));
    ruler.moveHeld(pane.toPicture([x + pane.width / 8, y]));
    ruler.open = false;
  }

  #fillWindow() {
    this.root.classList.toggle("filling");
  }
}
