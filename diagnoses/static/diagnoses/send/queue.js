// Which file is sent when: two at a time, the first of a study alone, and none while there is a reason to wait.
const SLOTS = 2;
const LONGEST_PAUSE_SECONDS = 30;

export class Queue {
  #waiting = [];
  #running = new Map();
  #timer = null;
  #failures = 0;
  #send;
  #paused;

  // `send(file, signal)` gives the outcome of a try; `paused(reason, seconds)` is told of pauses and, with no reason,
  // of their end.
  constructor(send, paused) {
    this.#send = send;
    this.#paused = paused;
  }

  reason = "";

  add(file) {
    if (this.#waiting.includes(file)) return;
    this.#waiting.push(file);
    this.#fill();
  }

  cancel(file) {
    this.#waiting = this.#waiting.filter((other) => other !== file);
    this.#running.get(file)?.abort();
  }

  clear() {
    this.#waiting = [];
    for (const running of this.#running.values()) running.abort();
  }

  // Waits until `resume` is called, or for so many seconds.
  pause(reason, seconds = 0) {
    clearTimeout(this.#timer);
    this.reason = reason;
    this.#paused(reason, seconds);
    if (seconds) this.#timer = setTimeout(() => this.resume(), seconds * 1000);
  }

  resume() {
    clearTimeout(this.#timer);
    if (!this.reason) return;
    this.reason = "";
    this.#paused("", 0);
    this.#fill();
  }

  #fill() {
    while (!this.reason && this.#running.size < SLOTS) {
      const file = this.#waiting.find((next) => this.#mayGo(next));
      if (!file) return;
      this.#waiting = this.#waiting.filter((other) => other !== file);
      this.#run(file);
    }
  }

  #mayGo(file) {
    const { group } = file;
    // Its last try, which was called off, may not have ended yet.
    if (this.#running.has(file)) return false;
    return Boolean(group.study) || ![...this.#running.keys()].some((other) => other.group === group);
  }

  async #run(file) {
    const control = new AbortController();
    this.#running.set(file, control);
    const outcome = await this.#send(file, control.signal);
    this.#running.delete(file);
    this.#heed(file, outcome);
    this.#fill();
  }

  #heed(file, { kind, seconds }) {
    if (kind === "unreachable" || kind === "busy" || kind === "signed-out") this.#waiting.unshift(file);
    if (kind === "unreachable") this.pause(kind, this.#backOff());
    else if (kind === "busy") this.pause(kind, seconds);
    else if (kind === "signed-out" || kind === "another-user") this.pause(kind);
    else if (kind !== "cancelled") this.#failures = 0;
  }

  #backOff() {
    const seconds = Math.min(LONGEST_PAUSE_SECONDS, 2 ** this.#failures);
    this.#failures += 1;
    return seconds;
  }
}
