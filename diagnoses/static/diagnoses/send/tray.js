// The files on the page and the studies that they make. Every change is kept in the store at once.

// The browser's own randomUUID is there on https alone.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const KEPT_OF_FILE = ["key", "name", "size", "state", "patient", "sha", "reason", "code", "study", "seen", "order"];
const PREFILLED = ["patient_id", "patient_sex", "patient_birth_date", "accession_number"];

export const UNSENT = new Set(["queued", "sending"]);

export class Tray {
  #store;
  #order = 0;

  constructor(store) {
    this.#store = store;
  }

  files = new Map();
  groups = new Map();
  // What the user chose: "one", "patients" or "each"; empty leaves it to what the files say.
  chosen = "";

  get all() {
    return [...this.files.values()];
  }

  of(...states) {
    return this.all.filter((file) => states.includes(file.state));
  }

  get saysSeveralPatients() {
    return new Set(this.of("draft").map(identityOf).filter(Boolean)).size > 1;
  }

  get mode() {
    const chosen = this.chosen === "patients" && !this.saysSeveralPatients ? "" : this.chosen;
    return chosen || (this.saysSeveralPatients ? "patients" : "one");
  }

  add({ name, blob, state = "looking", reason = "" }) {
    const file = { key: uuid(), name, size: blob.size, blob, state, reason, order: this.#order++, share: 0 };
    this.files.set(file.key, file);
    return file;
  }

  async keep(file) {
    if (!this.files.has(file.key)) return; // it was removed meanwhile
    await this.#store.put("blobs", { key: file.key, blob: file.blob });
    await this.save(file);
  }

  async save(file) {
    if (!this.files.has(file.key)) return; // it was removed meanwhile
    const record = Object.fromEntries(KEPT_OF_FILE.map((name) => [name, file[name]]));
    record.state = { sending: "queued", looking: "draft" }[file.state] ?? file.state;
    await this.#store.put("files", { ...record, group: file.group?.key ?? "" });
  }

  async saveGroup(group) {
    if (!this.groups.has(group.key)) return;
    await this.#store.put("groups", group);
  }

  async blobOf(file) {
    return file.blob ?? (await this.#store.blob(file.key));
  }

  // The server has it, or nobody wants it any more.
  async dropBlob(file) {
    file.blob = null;
    await this.#store.remove("blobs", file.key);
  }

  async remove(file) {
    this.files.delete(file.key);
    await this.#store.remove("files", file.key);
    await this.dropBlob(file);
    await this.#dropEmptyGroups();
  }

  filesOf(group) {
    return this.all.filter((file) => file.group === group);
  }

  async restore() {
    const { groups, files, blobs } = await this.#store.load();
    const known = new Set(files.map(({ key }) => key));
    for (const key of blobs) if (!known.has(key)) await this.#store.remove("blobs", key);
    for (const group of groups) this.groups.set(group.key, group);
    for (const record of files.sort((one, other) => one.order - other.order)) {
      const isLost = ["draft", "queued"].includes(record.state) && !blobs.has(record.key);
      if (isLost) await this.#store.remove("files", record.key);
      else this.files.set(record.key, { ...record, group: this.groups.get(record.group), share: 0 });
      this.#order = Math.max(this.#order, record.order + 1);
    }
    this.chosen = [...this.groups.values()].find((group) => !group.batch)?.chosen ?? "";
    await this.regroup();
  }

  // Puts what is not sent yet into studies, and fills in of each what its files say and nobody has typed.
  async regroup() {
    const moved = [];
    for (const file of this.of("draft")) {
      const group = this.#groupFor(file);
      if (file.group !== group) moved.push(file);
      file.group = group;
      prefill(group, file.patient);
    }
    for (const file of moved) await this.save(file);
    await this.#dropEmptyGroups();
    for (const group of this.groups.values()) {
      if (group.batch) continue;
      group.chosen = this.chosen;
      await this.saveGroup(group);
    }
  }

  // Marks all that is not sent yet as to be sent, at once, so that a second click finds nothing more to send. Gives
  // those that nobody has called off by the time they are kept.
  async release() {
    const batch = uuid();
    const files = this.of("draft");
    const groups = new Set(files.map((file) => file.group));
    for (const group of groups) group.batch = batch;
    for (const file of files) file.state = "queued";
    for (const group of groups) await this.saveGroup(group);
    for (const file of files) await this.save(file);
    return files.filter((file) => file.state === "queued" && this.files.has(file.key));
  }

  #groupFor(file) {
    const identity = this.#identity(file);
    const open = [...this.groups.values()].find((group) => !group.batch && group.identity === identity);
    if (open) return open;
    const group = { key: uuid(), identity, fields: {}, typed: [], batch: "", started: false, study: "" };
    this.groups.set(group.key, group);
    return group;
  }

  #identity(file) {
    if (this.mode === "one") return "one";
    return (this.mode === "patients" && identityOf(file)) || `file ${file.key}`;
  }

  async #dropEmptyGroups() {
    const used = new Set(this.all.map((file) => file.group));
    const empty = [...this.groups.values()].filter((group) => !used.has(group));
    for (const group of empty) this.groups.delete(group.key);
    for (const group of empty) await this.#store.remove("groups", group.key);
  }
}

function identityOf({ patient }) {
  return patient && (patient.patient_id || patient.study_uid) ? `${patient.patient_id} ${patient.study_uid}` : "";
}

function prefill(group, patient) {
  for (const name of PREFILLED) {
    const value = patient?.[name];
    if (value && !group.fields[name] && !group.typed.includes(name)) group.fields[name] = value;
  }
}
