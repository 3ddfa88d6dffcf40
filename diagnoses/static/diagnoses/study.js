// Follows a study until all of its images have an answer.
// The server's rows are the truth: an event is only a hint to fetch the changing part again, and where events fail
// the page asks by itself.

const POLL_MS = 3000;
const SAFETY_POLL_MS = 15000;

const images = document.getElementById("images");
const connection = document.getElementById("connection");
let events = null;
let timer = null;

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
  for (const section of fresh.querySelectorAll("[data-image]")) {
    const old = images.querySelector(`[data-image="${section.dataset.image}"]`);
    if (old.dataset.state !== section.dataset.state) old.replaceWith(section);
  }
}

function say(words) {
  connection.hidden = !words;
  connection.textContent = words;
}

async function refresh() {
  try {
    const response = await fetch(images.dataset.url, { headers: { Accept: "text/html" } });
    if (response.redirected) {
      stop();
      say(images.dataset.wordSignedOut);
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.text());
    say("");
    if (ended()) stop();
  } catch {
    say(images.dataset.wordAway);
  }
}

function ask(every) {
  clearInterval(timer);
  timer = setInterval(refresh, every);
}

function stop() {
  clearInterval(timer);
  events?.close();
}

function follow() {
  events = new EventSource(images.dataset.events);
  events.addEventListener("open", () => ask(SAFETY_POLL_MS));
  events.addEventListener("state", refresh);
  events.addEventListener("error", () => ask(POLL_MS));
  ask(POLL_MS);
}

if (!ended()) follow();
