// Somebody is there: said at most once a minute. Two minutes before the session ends, the page says so.
const banner = document.getElementById("idle");
const words = document.getElementById("idle-words");
const stay = document.getElementById("idle-stay");
const signedOut = document.getElementById("signed-out");
const SAID_EVERY_MS = 60_000;
const WARNED_S = 120;
const LONGEST_WAIT_S = 3600;

let saidAt = performance.now();
let timer = 0;

async function ask(method) {
  const body = method === "POST" ? new FormData(stay) : undefined;
  const answer = await fetch(banner.dataset.address, { method, body, headers: { Accept: "application/json" } });
  return answer.ok && !answer.redirected ? answer.json() : { left: 0 };
}

// What the server says counts: another tab may have kept the session, or ended it.
async function look(method = "GET") {
  clearTimeout(timer);
  try {
    const { left, last } = await ask(method);
    show(left, last);
    if (left > 0) lookLater(left);
  } catch {
    timer = setTimeout(look, 15_000); // no connection now, which says nothing of the session
  }
}

function lookLater(left) {
  const wait = left > WARNED_S ? Math.min(left - WARNED_S, LONGEST_WAIT_S) : Math.min(left, 15);
  timer = setTimeout(look, (wait + 1) * 1000);
}

function show(left, last) {
  signedOut.hidden = left > 0;
  banner.hidden = left <= 0 || left > WARNED_S;
  stay.hidden = Boolean(last);
  const said = last ? words.dataset.last : words.dataset.soon;
  if (!banner.hidden && words.textContent !== said) words.textContent = said;
}

function somebodyIsThere() {
  if (performance.now() - saidAt < SAID_EVERY_MS || !signedOut.hidden) return;
  saidAt = performance.now();
  look("POST");
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
lookLater(Number(banner.dataset.left));
