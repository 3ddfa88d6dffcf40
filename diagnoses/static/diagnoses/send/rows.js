// The rows as people see them: one for each file, under the study that it belongs to.
import { count, percent, say, size } from "./words.js";

const list = document.getElementById("groups");
const rows = new Map();
const cards = new Map();

function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

// Touches nothing that is as it should be, so that nobody's place, focus or selection is lost.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

function place(parent, elements) {
  const focused = document.activeElement;
  elements.forEach((element, index) => {
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  });
  while (parent.children.length > elements.length) parent.lastElementChild.remove();
  if (focused !== document.activeElement && focused?.isConnected) focused.focus();
}

function words(file) {
  const { answer, state } = file;
  if (state === "looking") return "";
  if (state === "sending" && file.share >= 1) return say("checking");
  if (state === "sending") return say("sending", { percent: percent(file.share) });
  if (state !== "sent") return file.reason || say(state);
  if (!answer) return say("taken");
  if (answer.status === "queued") return answer.waiting ? say("waitingAt", { place: answer.waiting }) : "";
  if (answer.verdict === "covered") return say("covered");
  return answer.reason;
}

const ACTIONS = {
  cancel: ({ state }) => state === "queued" || state === "sending",
  retry: ({ state, isLost }) => (state === "failed" || state === "cancelled") && !isLost,
  remove: ({ state }) => !["queued", "sending", "sent"].includes(state),
};

function badge(file) {
  const verdict = file.state === "refused" ? "refused" : file.state === "sent" && file.answer?.verdict;
  return verdict && verdict !== "covered" ? verdict : "";
}

function newRow(file) {
  const row = clone("row-template");
  row.dataset.key = file.key;
  row.querySelector(".send-name").textContent = file.name;
  row.querySelector(".send-size").textContent = size(file.size);
  row.querySelector("progress").setAttribute("aria-label", say("progressOf", { name: file.name }));
  for (const button of row.querySelectorAll("[data-act]")) {
    button.setAttribute("aria-label", `${button.textContent.trim()}: ${file.name}`);
  }
  return row;
}

export function showFile(file) {
  if (!rows.has(file.key)) rows.set(file.key, newRow(file));
  const row = rows.get(file.key);
  row.dataset.state = file.state === "sent" ? (file.answer?.status ?? "queued") : file.state;
  write(row.querySelector(".send-words"), words(file));
  const bar = row.querySelector("progress");
  bar.hidden = file.state !== "sending";
  bar.value = file.share;
  const place = row.querySelector(".send-badge");
  if (place.dataset.verdict !== badge(file)) {
    place.dataset.verdict = badge(file);
    place.replaceChildren(...(badge(file) ? [clone(`badge-${badge(file)}`)] : []));
  }
  write(row.querySelector(".send-probability"), (file.state === "sent" && file.answer?.probability) || "");
  showSeen(row.querySelector(".send-seen"), file);
  for (const [name, applies] of Object.entries(ACTIONS)) row.querySelector(`[data-act=${name}]`).hidden = !applies(file);
  const open = row.querySelector("[data-act=open]");
  open.hidden = !file.study;
  if (file.study) open.href = file.study;
  return row;
}

function showSeen(note, { seen, state }) {
  note.hidden = !seen;
  if (!seen) return;
  write(note.querySelector("span"), seen.study ? say(state === "draft" ? "seenAt" : "seenThen", { at: seen.at }) : say("twice"));
  const link = note.querySelector("a");
  link.hidden = !seen.study;
  if (seen.study) link.href = seen.study;
}

function newCard(group) {
  const card = clone("group-template");
  card.dataset.key = group.key;
  for (const field of card.querySelectorAll("[name]")) {
    const id = `${field.id}-${group.key}`;
    card.querySelector(`label[for="${field.id}"]`)?.setAttribute("for", id);
    field.id = id;
  }
  return card;
}

function title(group, number) {
  return group.fields.patient_id ? say("patient", { id: group.fields.patient_id }) : say("study", { n: number });
}

function showGroup(group, files, { number, isAlone, hasPlace }) {
  if (!cards.has(group.key)) {
    const card = newCard(group);
    cards.set(group.key, card);
    card.querySelector("details").open = isAlone && !group.started;
  }
  const card = cards.get(group.key);
  write(card.querySelector(".send-patient"), title(group, number));
  card.setAttribute("aria-label", title(group, number));
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  write(card.querySelector(".send-of-group"), `${count("files", files.length)}, ${size(bytes)}`);
  for (const field of card.querySelectorAll("[name]")) {
    const value = group.fields[field.name];
    if (field.type === "checkbox") field.checked = Boolean(value);
    else if (document.activeElement !== field && value !== undefined) field.value = value;
  }
  const fields = card.querySelector("fieldset");
  // What cannot be changed any more need not be in the way.
  if (group.started && !fields.disabled) card.querySelector("details").open = false;
  fields.disabled = group.started;
  write(card.querySelector(".send-locked"), group.started ? say("locked") : "");
  write(card.querySelector(".send-too-many"), hasPlace ? "" : say("tooManyInStudy"));
  return card;
}

function showAside(key, files) {
  const card = cards.get(key) ?? clone("loose-template");
  cards.set(key, card);
  place(card.querySelector("ul"), files.map(showFile));
  return card;
}

function showLookedAt(files) {
  const card = showAside("looking", files);
  write(card.querySelector("h2"), say("looking"));
  card.setAttribute("aria-label", say("looking"));
  return card;
}

// Shows groups with their files, in the order given: [{ group, files, number, hasPlace }], then what is in none.
export function showAll(shown, loose) {
  // Of several that are not on their way yet, all stay folded: forty forms would hide the files.
  const isAlone = shown.filter(({ group }) => !group.started).length === 1;
  const elements = shown.map(({ group, files, ...rest }) => {
    const card = showGroup(group, files, { ...rest, isAlone });
    place(card.querySelector("ul"), files.map(showFile));
    return card;
  });
  const lookedAt = loose.filter(({ state }) => state === "looking");
  const others = loose.filter(({ state }) => state !== "looking");
  if (lookedAt.length) elements.push(showLookedAt(lookedAt));
  if (others.length) elements.push(showAside("", others));
  place(list, elements);
}

// Takes the focus to what stands beside a row that goes.
export function leave(key) {
  const row = rows.get(key);
  rows.delete(key);
  const next = row?.nextElementSibling ?? row?.previousElementSibling;
  const target = next?.querySelector("[data-act]:not([hidden])") ?? document.getElementById("id_files");
  if (row?.contains(document.activeElement)) target.focus();
}
