// Sends one file with what is said of its study, and takes down what became of it.
import { ask, upload } from "./request.js";
import { say } from "./words.js";

// How often the server is asked whether a file that was called off had come in all the same.
const LOOKS = 3;
const UNDECIDED = new Set(["unreachable", "busy", "signed-out", "another-user"]);

export class Sender {
  #page;
  #tray;
  #changed;

  // `page` has the addresses and the user; `changed(file)` is told of each change of a file.
  constructor(page, tray, changed) {
    this.#page = page;
    this.#tray = tray;
    this.#changed = changed;
  }

  async send(file, signal) {
    const { group } = file;
    file.state = "sending";
    file.share = 0;
    // From here on the server may have the study, even if its answer is lost.
    group.started = true;
    await this.#tray.saveGroup(group);
    this.#changed(file);
    const blob = await this.#tray.blobOf(file);
    let outcome = { kind: "lost" };
    if (signal.aborted) outcome = { kind: "cancelled" };
    else if (blob) outcome = await upload(this.#page.files, this.#form(file, blob), this.#watch(file, signal));
    if (outcome.kind === "forbidden") outcome = await this.#whyForbidden();
    await this.#take(file, outcome);
    this.#changed(file);
    return outcome;
  }

  #watch(file, signal) {
    const progressed = (share) => {
      file.share = share;
      this.#changed(file);
    };
    return { signal, progressed };
  }

  #form(file, blob) {
    const form = new FormData();
    for (const [name, value] of Object.entries(file.group.fields)) if (value) form.set(name, value);
    form.set("sender", this.#page.user);
    form.set("study_key", file.group.key);
    form.set("batch", file.group.batch);
    form.set("upload_key", file.key);
    form.set("filename", file.name);
    form.set("file", blob, "file");
    return form;
  }

  // A token that does not fit is refused in the same way whether or not one is signed in.
  async #whyForbidden() {
    const said = await ask(this.#page.state);
    return said === "signed-out" ? { kind: said } : { kind: "failed", error: { message: say("reload") } };
  }

  async #take(file, outcome) {
    const { kind, error, study, seen } = outcome;
    if (UNDECIDED.has(kind)) {
      file.state = "queued";
      return;
    }
    file.state = { taken: "sent", refused: "refused", cancelled: "cancelled" }[kind] ?? "failed";
    file.reason = kind === "lost" ? say("lost") : (error?.message ?? "");
    file.code = error?.code ?? "";
    file.looks = kind === "cancelled" ? LOOKS : 0;
    file.isLost = kind === "lost";
    file.seen = seen ?? file.seen ?? null;
    await this.settle(file, study);
  }

  // The file is with the server, or it will not be.
  async settle(file, study) {
    const { group } = file;
    if (study) {
      file.study = study;
      group.study = study;
    }
    if (file.state === "sent" || file.state === "refused") await this.#tray.dropBlob(file);
    const isOpen = this.#tray.filesOf(group).some((other) => other.state === "sending");
    if (!group.study && !isOpen) group.started = false;
    await this.#tray.save(file);
    await this.#tray.saveGroup(group);
  }
}
