// The send page: what is dropped becomes rows, what is sent is followed to its answer. The form works without it.
import { Answers } from "./answers.js";
import { isAnswered, showProgress, showSummary } from "./bar.js";
import { dropped, picked } from "./folders.js";
import { takeIn } from "./intake.js";
import { showProblems, showTrouble } from "./notice.js";
import { Queue } from "./queue.js";
import { ask } from "./request.js";
import { leave, showAll, showFile } from "./rows.js";
import { Sender } from "./sender.js";
import { Store } from "./store.js";
import { Tray, UNSENT } from "./tray.js";
import { say } from "./words.js";

const SESSION_LOOK_MS = 4000;
const OTHER_TAB_MS = 1500;
// Where the server's order of verdicts has a refusal.
const REFUSED_RANK = 2;
const TROUBLES = { "signed-out": "signedOut", "another-user": "anotherUser" };

const section = document.getElementById("tray");
const drop = document.getElementById("drop");
const sort = document.getElementById("send-sort");
const modes = document.getElementById("send-modes");
const page = {
  ...section.dataset,
  mostBytes: Number(section.dataset.mostBytes),
  mostFiles: Number(section.dataset.mostFiles),
};
const store = new Store(page.user);
const tray = new Tray(store);
const sender = new Sender(page, tray, changed);
const queue = new Queue((file, signal) => sender.send(file, signal), paused);
const answers = new Answers(page.state, followed, heard);

let looking = 0;
let isSortChosen = false;
let isDrawing = false;

// Showing

function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    drawNow();
  });
}

function rank(file) {
  if (file.state === "refused") return REFUSED_RANK;
  return isAnswered(file) ? file.answer.rank - (file.answer.order ?? 0) / 2 : Infinity;
}

function drawNow() {
  const groups = [...tray.groups.values()].map((group, index) => {
    const files = tray.filesOf(group);
    return { group, files, number: index + 1, hasPlace: files.length <= page.mostFiles };
  });
  if (sort.getAttribute("aria-pressed") === "true") {
    for (const each of groups) each.files.sort((one, other) => rank(one) - rank(other) || one.order - other.order);
    groups.sort((one, other) => Math.min(...one.files.map(rank)) - Math.min(...other.files.map(rank)) || 0);
  }
  showAll(groups.filter(({ files }) => files.length), tray.all.filter((file) => !file.group));
  const drafts = tray.of("draft");
  showSummary(drafts, new Set(drafts.map((file) => file.group)).size, looking > 0);
  modes.hidden = drafts.length < 2;
  modes.querySelector("[data-only-patients]").hidden = !tray.saysSeveralPatients;
  modes.querySelector(`[value=${tray.mode}]`).checked = true;
  document.getElementById("empty").hidden = tray.files.size > 0;
  document.getElementById("send-tools-bar").hidden = !tray.files.size && !looking;
  document.getElementById("send-clear").hidden = !tray.all.some(isAnswered);
  document.getElementById("send-remove").hidden = !tray.files.size;
  document.getElementById("send-unkept").hidden = store.works;
  document.getElementById("send-kept").hidden = !store.works;
  showOverall();
}

function showOverall() {
  showProgress(tray.all);
  const answered = tray.all.filter(isAnswered).length;
  sort.hidden = answered < 2;
  const isAllDone = answered > 1 && !tray.of("looking", "draft", "queued", "sending").length && section.dataset.unanswered === "0";
  // Of its own accord only when nothing comes any more that would move the rows again.
  if (isAllDone && !isSortChosen && sort.getAttribute("aria-pressed") === "false") {
    sort.setAttribute("aria-pressed", "true");
    draw();
  }
}

function changed(file) {
  showFile(file);
  showOverall();
  if (file.state !== "sending") {
    draw();
    answers.follow();
  }
}

// Taking in

function look(change) {
  looking += change;
  section.dataset.looking = String(looking);
  draw();
}

async function add(finding) {
  look(1);
  showProblems([]);
  try {
    const [found] = await Promise.all([finding, ready]);
    const problems = await takeIn(found, tray, page, draw);
    await tray.regroup();
    showProblems(problems);
  } finally {
    look(-1);
  }
}

function addPicked(picker) {
  if (!picker.files.length) return;
  add(picked(picker.files));
  picker.value = "";
}

async function sendAll() {
  if (looking) return;
  const isTooMany = [...tray.groups.values()].some((group) => tray.filesOf(group).length > page.mostFiles);
  const wrong = document.querySelector("#groups :invalid:not(fieldset)");
  if (wrong) wrong.closest("details").open = true;
  if (isTooMany || (wrong && !wrong.reportValidity())) return;
  for (const file of await tray.release()) queue.add(file);
  if (!isSortChosen) sort.setAttribute("aria-pressed", "false");
  draw();
}

// Hearing

function followed() {
  const batches = new Set();
  for (const file of tray.all) {
    const mayBeThere = file.group?.started && (UNSENT.has(file.state) || file.looks > 0);
    if ((file.state === "sent" && !isAnswered(file)) || mayBeThere) batches.add(file.group.batch);
  }
  return [...batches].filter(Boolean);
}

function heard(said) {
  const isOut = queue.reason === "signed-out";
  if (said === "signed-out") {
    if (!isOut) queue.pause("signed-out");
  } else if (said && said.user !== page.user) queue.pause("another-user");
  else if (said) {
    if (isOut) queue.resume();
    apply(said);
  }
  if (!queue.reason) showTrouble(said ? (said.worker_is_alive ? "" : "noWorker") : "unreachableAnswers");
}

async function apply({ files }) {
  for (const [key, answer] of Object.entries(files)) {
    const file = tray.files.get(key);
    if (!file || file.state === "sending" || file.state === "draft") continue;
    file.answer = answer;
    if (file.state !== "sent" && file.state !== "refused") {
      // It had come in, and only the server's answer was lost.
      queue.cancel(file);
      Object.assign(file, { state: "sent", reason: "" });
      await sender.settle(file, answer.study);
    }
  }
  for (const file of tray.of("cancelled")) file.looks -= 1;
  draw();
}

function paused(reason, seconds) {
  if (reason === "another-user") putAway();
  showTrouble(reason && (TROUBLES[reason] ?? reason), seconds);
  if (!reason || reason in TROUBLES) document.dispatchEvent(new Event("session-doubt"));
  if (reason === "signed-out") setTimeout(lookForSession, SESSION_LOOK_MS);
  if (!reason) answers.follow();
}

async function lookForSession() {
  if (queue.reason !== "signed-out") return;
  const said = await ask(page.state);
  if (said && said !== "signed-out") {
    if (said.user === page.user) queue.resume();
    else queue.pause("another-user");
  } else setTimeout(lookForSession, SESSION_LOOK_MS);
}

// What is another user's to see is nothing of this one's.
function putAway() {
  queue.clear();
  tray.files.clear();
  tray.groups.clear();
  document.getElementById("send-form").hidden = true;
  section.hidden = true;
  drawNow();
}

// Hands

const acts = {
  async cancel(file) {
    const wasSending = file.state === "sending";
    queue.cancel(file);
    if (!wasSending) {
      file.state = "cancelled";
      await tray.save(file);
    }
    draw();
  },
  async retry(file) {
    if (file.state !== "failed" && file.state !== "cancelled") return;
    // What was said of a study that is there cannot be changed, so the file begins another.
    const needsNewStudy = file.code === "key_reused" || file.code === "not_taken";
    Object.assign(file, { state: needsNewStudy ? "draft" : "queued", reason: "", code: "" });
    await tray.save(file);
    if (needsNewStudy) await tray.regroup();
    else queue.add(file);
    draw();
  },
  async remove(file) {
    leave(file.key);
    await tray.remove(file);
    await tray.regroup();
    draw();
  },
};

function onAct(event) {
  const button = event.target.closest("button[data-act]");
  const file = button && tray.files.get(button.closest("[data-key]").dataset.key);
  if (file) acts[button.dataset.act](file);
}

async function onField({ target }) {
  const group = tray.groups.get(target.closest("[data-key]")?.dataset.key);
  if (!group || !target.name) return;
  group.fields[target.name] = target.type === "checkbox" ? (target.checked ? "on" : "") : target.value;
  if (!group.typed.includes(target.name)) group.typed.push(target.name);
  await tray.saveGroup(group);
  draw();
}

async function removeWhere(applies) {
  for (const file of tray.all.filter(applies)) {
    queue.cancel(file);
    leave(file.key);
    await tray.remove(file);
  }
  draw();
}

function listen() {
  const input = document.getElementById("id_files");
  const folder = document.getElementById("folder");
  for (const picker of [input, folder]) {
    picker.addEventListener("change", () => addPicked(picker));
    addPicked(picker);
  }
  document.getElementById("pick-folder").addEventListener("click", () => folder.click());
  const hasFiles = (event) => event.dataTransfer.types?.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    add(dropped(event.dataTransfer));
  });
  document.getElementById("send-form").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("send-button").addEventListener("click", sendAll);
  document.getElementById("groups").addEventListener("click", onAct);
  document.getElementById("groups").addEventListener("input", onField);
  modes.addEventListener("change", async (event) => {
    tray.chosen = event.target.value;
    await tray.regroup();
    draw();
  });
  sort.addEventListener("click", () => {
    isSortChosen = true;
    sort.setAttribute("aria-pressed", String(sort.getAttribute("aria-pressed") !== "true"));
    draw();
  });
  document.getElementById("send-clear").addEventListener("click", () => removeWhere(isAnswered));
  document.getElementById("send-remove").addEventListener("click", () => {
    if (globalThis.confirm(say("removeAll"))) removeWhere(() => true);
  });
  globalThis.addEventListener("online", () => {
    if (queue.reason === "unreachable") queue.resume();
    answers.follow();
  });
  globalThis.addEventListener("beforeunload", (event) => {
    if (!store.works && tray.of("looking", "draft", "queued", "sending").length) event.preventDefault();
  });
}

// Two pages of the same user would send the same files twice over the same slow line.
async function onlyPage() {
  if (!navigator.locks) return;
  const name = `cxr-send ${page.user}`;
  const hold = (got) => () => {
    got();
    return new Promise(() => {});
  };
  const isHeld = await new Promise((resolve) => {
    const options = { signal: AbortSignal.timeout(OTHER_TAB_MS) };
    navigator.locks.request(name, options, hold(() => resolve(true))).catch(() => resolve(false));
  });
  if (isHeld) return;
  showTrouble("otherTab");
  await new Promise((resolve) => {
    navigator.locks.request(name, hold(resolve));
  });
  showTrouble("");
}

async function start() {
  document.getElementById("classic").remove();
  await onlyPage();
  await store.open();
  await tray.restore();
  for (const name of ["tray", "pick-folder"]) document.getElementById(name).hidden = false;
  drawNow();
  for (const file of tray.of("queued")) queue.add(file);
  answers.follow();
}

const ready = start();
// At once: what is chosen or dropped while another tab has the page waits for its turn.
listen();
