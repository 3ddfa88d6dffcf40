// Follows a study until all of its images have an answer.
// The server's rows are the truth: an event is only a hint to fetch the changing part again, and where events fail
// the page asks by itself.

const POLL_MS = 3000;
const SAFETY_POLL_MS = 15000;
const ANSWER_MS = 15000;

const images = document.getElementById("images");
const connection = document.getElementById("connection");
let events = null;
let timer = null;
let isAsking = false;
let isDue = false;

function ended() {
  return document.getElementById("progress").dataset.ended === "true";
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  // Only what changed is replaced, so that nothing moves under the reader's hands.
  for (const id of ["progress", "glance"]) {
    const old = document.getElementById(id);
    if (!old.isEqualNode(fresh.getElementById(id))) old.replaceWith(fresh.getElementById(id));
  }
  let last = document.getElementById("glance");
  for (const section of fresh.querySelectorAll("[data-image]")) {
    const old = images.querySelector(`[data-image="${section.dataset.image}"]`);
    const isKept = old?.dataset.state === section.dataset.state;
    if (!old) last.after(section);
    else if (!isKept) replace(old, section);
    last = isKept ? old : section;
  }
}

// Whoever was at work in the old one goes on in the new one: reading.js gives it the focus.
function replace(old, section) {
  section.toggleAttribute("data-held", old.contains(document.activeElement));
  old.replaceWith(section);
}

function say(words) {
  connection.hidden = !words;
  connection.textContent = words;
}

async function answer() {
  try {
    const response = await fetch(images.dataset.url, {
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (response.redirected) return { isSignedOut: true };
    if (!response.ok) throw new Error(`status ${response.status}`);
    return { isSignedOut: false, html: await response.text() };
  } catch {
    return null;
  }
}

async function ask() {
  const came = await answer();
  if (!came) {
    say(images.dataset.wordAway);
  } else if (came.isSignedOut) {
    stop();
    say(images.dataset.wordSignedOut);
    document.dispatchEvent(new Event("session-doubt"));
  } else {
    say("");
    show(came.html);
    if (ended()) stop();
  }
}

// One question at a time, so that no older answer lands on a newer one. What is wanted meanwhile is asked afterwards.
async function refresh() {
  isDue = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isDue) {
      isDue = false;
      await ask();
    }
  } finally {
    isAsking = false;
  }
}

function askEvery(every) {
  clearInterval(timer);
  timer = setInterval(refresh, every);
}

function stop() {
  isDue = false;
  clearInterval(timer);
  events?.close();
}

function follow() {
  events = new EventSource(images.dataset.events);
  events.addEventListener("open", () => askEvery(SAFETY_POLL_MS));
  events.addEventListener("state", refresh);
  events.addEventListener("error", () => askEvery(POLL_MS));
  askEvery(POLL_MS);
}

if (!ended()) follow();
