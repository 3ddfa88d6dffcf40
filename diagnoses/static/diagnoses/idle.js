// Somebody is there: said at most once a minute. Two minutes before the session ends, the page says so; once it is over,
// nothing of the page is left to be read. What was typed stays in it, and is shown again to the same user alone.
import { renewTokens } from "./csrf.js";

const banner = document.getElementById("idle");
const words = document.getElementById("idle-words");
const stay = document.getElementById("idle-stay");
const signedOut = document.getElementById("signed-out");
const { title } = document;
const SAID_EVERY_MS = 60_000;
const WARNED_S = 120;
const LONGEST_WAIT_S = 3600;
const REPEATED_MS = 15_000;
const OVER = { left: 0 };

let saidAt = performance.now();
let endsAt = Date.now() + Number(banner.dataset.left) * 1000;
let timer = 0;
let focused = null;

async function ask(method) {
  renewTokens();
  const body = method === "POST" ? new FormData(stay) : undefined;
  const answer = await fetch(banner.dataset.address, { method, body, headers: { Accept: "application/json" } });
  if (answer.redirected || answer.status === 401) return OVER;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const said = await answer.json();
  return said.user === banner.dataset.user ? said : OVER;
}

// What the server says counts: another tab may have kept the session, ended it, or begun another user's.
async function look(method = "GET") {
  clearTimeout(timer);
  try {
    const { left, last } = await ask(method);
    endsAt = Date.now() + left * 1000;
    show(left, last);
    if (left > 0) lookLater(left);
  } catch {
    // No connection now, which says nothing of the session before its time has passed.
    if (Date.now() >= endsAt) show(0);
    timer = setTimeout(look, REPEATED_MS);
  }
}

function lookLater(left) {
  const wait = left > WARNED_S ? Math.min(left - WARNED_S, LONGEST_WAIT_S) : Math.min(left, 15);
  timer = setTimeout(look, (wait + 1) * 1000);
}

function show(left, last) {
  conceal(left <= 0);
  banner.hidden = left <= 0 || left > WARNED_S;
  stay.hidden = Boolean(last);
  const said = last ? words.dataset.last : words.dataset.soon;
  if (!banner.hidden && words.textContent !== said) words.textContent = said;
}

function conceal(isOver) {
  if (signedOut.hidden !== isOver) return;
  const had = document.activeElement;
  signedOut.hidden = !isOver;
  document.body.toggleAttribute("data-over", isOver);
  document.title = isOver ? signedOut.dataset.title : title;
  if (!isOver) {
    renewTokens();
    focused?.focus({ preventScroll: true });
    return;
  }
  focused = had;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  if (document.fullscreenElement) document.exitFullscreen();
  signedOut.querySelector("a").focus();
}

function somebodyIsThere() {
  if (performance.now() - saidAt < SAID_EVERY_MS || !signedOut.hidden) return;
  saidAt = performance.now();
  look("POST");
}

// Drafts are a user's own: the next one at this browser finds none.
function forgetOthers() {
  for (const key of Object.keys(sessionStorage)) {
    const user = key.match(/^reading (\d+) /)?.[1];
    if (user && user !== banner.dataset.user) sessionStorage.removeItem(key);
  }
}

for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  document.addEventListener(kind, (event) => event.isTrusted && somebodyIsThere(), { passive: true, capture: true });
}
stay.addEventListener("submit", (event) => {
  event.preventDefault();
  saidAt = performance.now();
  look("POST");
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
window.addEventListener("focus", () => {
  if (!signedOut.hidden) look();
});
window.addEventListener("pageshow", (event) => event.persisted && look());
// Some part of the page was answered with the sign-in's page, or no longer is.
document.addEventListener("session-doubt", () => look());
// That page is no part of any other.
document.addEventListener("htmx:beforeSwap", (event) => {
  const from = new URL(event.detail.xhr.responseURL, location.href);
  if (from.pathname !== signedOut.dataset.signIn) return;
  event.detail.shouldSwap = false;
  look();
});
forgetOthers();
lookLater(Number(banner.dataset.left));
