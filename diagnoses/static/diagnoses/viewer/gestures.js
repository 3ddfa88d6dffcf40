// What a mouse, a pen or fingers do on a pane. One finger or the left button uses the chosen tool, the middle button or
// Shift moves the picture, the right button zooms, two fingers zoom and move, the wheel zooms at the pointer.

const CLICK_SLOP = 3;
const TOUCH_SLOP = 10; // a finger is less steady, and the second of two comes later

let scrolledAt = -Infinity;
// While the page passes under a pointer that rests, the wheel goes on scrolling the page.
document.addEventListener("wheel", (event) => {
  if (!event.defaultPrevented) scrolledAt = event.timeStamp;
}, { passive: true });

/** `host` is the viewer; listeners end with `signal`. */
export function listen(pane, host, signal) {
  const hand = new Hand(pane, host);
  const { canvas } = pane;
  const on = (name, act, options) => canvas.addEventListener(name, act, { signal, ...options });
  on("pointerdown", (event) => hand.down(event));
  on("pointermove", (event) => hand.move(event));
  for (const name of ["pointerup", "pointercancel"]) on(name, (event) => hand.up(event));
  on("wheel", (event) => hand.wheel(event), { passive: false });
  on("contextmenu", (event) => event.preventDefault());
  on("dblclick", () => host.tool !== "ruler" && host.fit());
}

class Hand {
  #pointers = new Map();
  #mode = "";
  #from = null;
  #isClick = false;
  #isRulerDue = false;
  #movedAt = -Infinity;

  constructor(pane, host) {
    [this.pane, this.host] = [pane, host];
  }

  down(event) {
    event.preventDefault();
    this.pane.canvas.setPointerCapture(event.pointerId);
    this.host.activate(this.pane);
    this.#pointers.set(event.pointerId, this.#place(event));
    if (this.#pointers.size === 2) [this.#mode, this.#isRulerDue] = ["pinch", false];
    if (this.#pointers.size !== 1) return;
    [this.#mode, this.#from, this.#isClick] = [modeOf(event, this.host.tool), this.#place(event), true];
    this.#isRulerDue = this.#mode === "ruler";
    // One finger may be the first of two, which zoom and must leave what was measured alone.
    if (this.#isRulerDue && event.pointerType !== "touch") this.#startRuler();
  }

  move(event) {
    // A browser tells of a move, too, where the page has moved under the pointer.
    if (event.movementX || event.movementY) this.#movedAt = event.timeStamp;
    const place = this.#place(event);
    const last = this.#pointers.get(event.pointerId);
    const { ruler } = this.pane.subject;
    if (!last) {
      if (ruler.open && event.pointerType !== "touch") this.#moveRuler(place);
      return;
    }
    const slop = event.pointerType === "touch" ? TOUCH_SLOP : CLICK_SLOP;
    if (Math.hypot(place[0] - this.#from[0], place[1] - this.#from[1]) > slop * this.pane.ratio) this.#isClick = false;
    if (this.#isRulerDue && !this.#isClick) this.#startRuler();
    const before = this.#grip();
    this.#pointers.set(event.pointerId, place);
    const [dx, dy] = [place[0] - last[0], place[1] - last[1]];
    if (this.#mode === "pinch") this.#pinch(before, this.#grip());
    else if (this.#mode === "pan") this.host.pan(this.pane, dx, dy);
    else if (this.#mode === "zoom") this.host.zoomAt(this.pane, this.#from, Math.exp(-dy / this.pane.ratio / 150));
    else if (this.#mode === "window") this.host.nudgeWindow(this.pane, dx / this.pane.ratio / 512, dy / this.pane.ratio / 512);
    else if (this.#mode === "ruler" && !this.#isRulerDue) this.#moveRuler(place);
  }

  up(event) {
    this.#pointers.delete(event.pointerId);
    const { ruler } = this.pane.subject;
    if (this.#isRulerDue && event.type === "pointerup") this.#startRuler();
    // A ruler is drawn by dragging, or set by two clicks.
    if (this.#mode === "ruler" && !this.#isClick) ruler.open = false;
    if (this.#mode === "ruler") this.host.tellRuler();
    if (!this.#pointers.size) [this.#mode, this.#isRulerDue] = ["", false];
    this.host.changed();
  }

  wheel(event) {
    if (this.#movedAt <= scrolledAt) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const turned = Math.min(240, Math.max(-240, event.deltaY * lines));
    this.host.zoomAt(this.pane, this.#place(event), Math.exp(-turned * 0.0016));
  }

  #startRuler() {
    this.#isRulerDue = false;
    const { ruler } = this.pane.subject;
    if (ruler.open) {
      this.#moveRuler(this.#from);
      ruler.open = false;
    } else if (!ruler.take(this.pane.toPane, this.#from, this.pane.ratio)) {
      ruler.start(this.pane.toPicture(this.#from));
    }
    this.host.changed();
  }

  #moveRuler(place) {
    this.pane.subject.ruler.moveHeld(this.pane.toPicture(place));
    this.host.changed();
  }

  #pinch(before, after) {
    this.host.pan(this.pane, after.x - before.x, after.y - before.y);
    this.host.zoomAt(this.pane, [after.x, after.y], after.spread / before.spread);
  }

  /** The middle of the fingers, and how far they are apart. */
  #grip() {
    const [one, other = one] = this.#pointers.values();
    return {
      x: (one[0] + other[0]) / 2,
      y: (one[1] + other[1]) / 2,
      spread: Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1])),
    };
  }

  #place(event) {
    const box = this.pane.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * this.pane.ratio, (event.clientY - box.top) * this.pane.ratio];
  }
}

function modeOf(event, tool) {
  if (event.button === 1 || event.shiftKey) return "pan";
  return event.button === 2 ? "zoom" : tool;
}
