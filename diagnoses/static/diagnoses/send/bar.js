// How far it all is: in words and as a bar for those who look, and at its turns for those who listen.
import { count, duration, say, size } from "./words.js";

const ENDED = new Set(["done", "refused", "failed"]);
const MEASURED_MS = 20_000;

const tray = document.getElementById("tray");
const words = document.getElementById("send-progress");
const bar = document.getElementById("send-bar");
const said = document.getElementById("send-said");
const button = document.getElementById("send-button");
const summary = document.getElementById("send-summary");

let measures = [];
let milestone = "";

export function isAnswered(file) {
  return (file.state === "refused" && Boolean(file.group)) || (file.state === "sent" && ENDED.has(file.answer?.status));
}

function isReleased(file) {
  return Boolean(file.group?.batch) && file.state !== "draft" && file.state !== "cancelled";
}

function left(files) {
  const bytes = (file) => file.size * (file.state === "sending" ? file.share : Number(file.state !== "queued"));
  const sent = files.reduce((sum, file) => sum + bytes(file), 0);
  const all = files.reduce((sum, file) => sum + file.size, 0);
  const now = performance.now();
  measures = [...measures.filter(({ at }) => now - at < MEASURED_MS), { at: now, sent }];
  const pace = (sent - measures[0].sent) / (now - measures[0].at);
  return pace > 0 && sent < all ? duration((all - sent) / pace / 1000) : "";
}

function announce(now) {
  if (now === milestone) return;
  milestone = now;
  said.textContent = now;
}

export function showProgress(files) {
  const released = files.filter(isReleased);
  const sent = released.filter((file) => file.state !== "queued" && file.state !== "sending" && file.state !== "failed");
  const answered = released.filter(isAnswered);
  const hasFailed = released.some((file) => file.state === "failed");
  tray.dataset.unsent = released.length - sent.length;
  tray.dataset.unanswered = released.length - answered.length;
  document.getElementById("send-running").hidden = !released.length;
  if (!released.length) return;
  bar.max = released.length * 2;
  bar.value = sent.length + answered.length;
  const isAllSent = sent.length === released.length;
  const isAllAnswered = answered.length === released.length;
  const parts = [say("sentOf", { n: sent.length, of: released.length })];
  parts.push(say("answeredOf", { n: answered.length, of: released.length }));
  const rest = isAllSent || hasFailed ? "" : left(released);
  if (rest) parts.push(rest);
  words.textContent = isAllAnswered ? count("allAnswered", released.length) : parts.join(" · ");
  if (isAllAnswered) announce(words.textContent);
  else if (isAllSent) announce(count("allSent", released.length));
  else announce(count("sendingAll", released.length));
}

export function showSummary(drafts, studies, isLooking) {
  const bytes = drafts.reduce((sum, file) => sum + file.size, 0);
  button.hidden = !drafts.length;
  button.disabled = isLooking;
  button.textContent = count("send", drafts.length);
  const parts = [count("files", drafts.length), size(bytes), count("studies", studies)];
  summary.hidden = !drafts.length && !isLooking;
  summary.textContent = isLooking ? say("looking") : drafts.length ? parts.join(" · ") : "";
}
