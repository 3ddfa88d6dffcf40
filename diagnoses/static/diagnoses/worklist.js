// Keeps the worklist as it is on the server without moving anything under the reader's hands, and drives it by keys.
// A row is replaced where it stands, and only when what it says has changed; what is new is announced, not inserted.

const POLL_MS = 10000;
const KEYS_OFF = "worklist-keys-off";

const list = document.getElementById("worklist");
const rows = document.getElementById("rows");
const dialog = document.getElementById("keys");
const keysOn = document.getElementById("keys-on");
const all = document.getElementById("select-all");
const connection = document.getElementById("worklist-connection");

function studies() {
  return rows ? [...rows.querySelectorAll("tr[data-study]")] : [];
}

function address() {
  const query = new URLSearchParams(list.dataset.query);
  query.set("page", list.dataset.page);
  for (const row of studies()) query.append("shown", `${row.dataset.study}~${row.dataset.state}`);
  return `${list.dataset.url}?${query}`;
}

function say(words) {
  connection.hidden = !words;
  if (connection.textContent !== words) connection.textContent = words;
}

function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  fresh.querySelector("[name=study]").checked = old.querySelector("[name=study]").checked;
  old.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const row of fresh.querySelectorAll("tr[data-study]")) {
    const old = document.getElementById(row.id);
    if (old) replace(old, row);
  }
  for (const id of ["worklist-total", "worklist-news"]) {
    const old = document.getElementById(id);
    const now = fresh.getElementById(id);
    if (old.innerHTML !== now.innerHTML) old.innerHTML = now.innerHTML;
    old.hidden = now.hidden;
  }
}

async function refresh() {
  if (document.hidden) return;
  try {
    const response = await fetch(address(), { headers: { Accept: "text/html" } });
    if (response.redirected) {
      clearInterval(timer);
      say(connection.dataset.signedOut);
      document.dispatchEvent(new Event("session-doubt"));
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.text());
    say("");
  } catch {
    say(connection.dataset.away);
  }
}

function count() {
  const boxes = studies().map((row) => row.querySelector("[name=study]"));
  const chosen = boxes.filter((box) => box.checked).length;
  const words = document.getElementById("selected-count");
  if (words) words.textContent = chosen ? words.dataset.some.replace("{}", chosen) : words.dataset.none;
  all.checked = chosen > 0 && chosen === boxes.length;
  all.indeterminate = chosen > 0 && chosen < boxes.length;
}

function step(by) {
  const shown = studies();
  const at = shown.findIndex((row) => row.contains(document.activeElement));
  const to = at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(Math.max(at + by, 0), shown.length - 1);
  shown[to]?.querySelector(".to-study").focus();
}

function select() {
  const row = studies().find((shown) => shown.contains(document.activeElement));
  const box = row?.querySelector("[name=study]");
  // On the box itself the key would do nothing more than the space bar does.
  if (!box) return;
  box.checked = !box.checked;
  count();
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  x: select,
  "/": () => document.querySelector("#worklist-filter [name=search]").focus(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || !dialog || dialog.open) return;
  if (event.key === "?" && keysOn.checked) {
    dialog.showModal();
  } else if (keys[event.key] && keysOn.checked) {
    keys[event.key]();
  } else {
    return;
  }
  event.preventDefault();
});

// In a form Enter on a box would press the first button, which marks what is selected as urgent.
function enter(event) {
  if (event.key !== "Enter" || !event.target.matches("[type=checkbox]")) return;
  event.preventDefault();
  event.target.closest("tr").querySelector(".to-study")?.click();
}

let timer = null;
if (list) {
  timer = setInterval(refresh, POLL_MS);
  document.addEventListener("visibilitychange", refresh);
}
if (rows) {
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const row of studies()) row.querySelector("[name=study]").checked = all.checked;
    count();
  });
  rows.addEventListener("change", count);
  list.addEventListener("keydown", enter);
  // Boxes keep their ticks when a page comes back from the browser's history.
  window.addEventListener("pageshow", count);
  count();
}
if (dialog) {
  const button = document.getElementById("keys-button");
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
  keysOn.checked = !localStorage.getItem(KEYS_OFF);
  keysOn.addEventListener("change", () => {
    if (keysOn.checked) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
  });
}
