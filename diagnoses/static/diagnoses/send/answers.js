// Asks how the files that the server has stand: soon while things move, and less and less often while they do not.
import { ask } from "./request.js";

const SOON_MS = 1000;
const LATEST_MS = 6000;

export class Answers {
  #url;
  #heard;
  #timer = null;
  #pause = SOON_MS;
  #last = "";
  #batches;

  // `batches()` names what is followed, none at the end; `heard(said)` gets each answer, null or "signed-out".
  constructor(url, batches, heard) {
    this.#url = url;
    this.#batches = batches;
    this.#heard = heard;
  }

  // Look now, and go on looking.
  follow() {
    clearTimeout(this.#timer);
    this.#pause = SOON_MS;
    this.#timer = setTimeout(() => this.#look(), 0);
  }

  async #look() {
    const batches = this.#batches();
    if (!batches.length) return;
    const query = new URLSearchParams(batches.map((batch) => ["batch", batch]));
    const said = await ask(`${this.#url}?${query}`);
    this.#heard(said);
    const now = JSON.stringify(said);
    this.#pause = now === this.#last ? Math.min(this.#pause * 1.5, LATEST_MS) : SOON_MS;
    this.#last = now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), this.#pause);
  }
}
