// The parts of the dashboard: each says when it did not come, and can be asked for again.
const DONE = "htmx:afterSwap";
const FAILED = ["htmx:responseError", "htmx:sendError", "htmx:timeout", "htmx:swapError"];

function partOf(event) {
  return event.detail.elt?.closest?.("[data-part]");
}

function settle(part, failed) {
  part.setAttribute("aria-busy", "false");
  part.querySelector("[data-error]").hidden = !failed;
  part.querySelector("[data-body]").hidden = failed;
  if (!failed) return;
  for (const key of document.querySelectorAll(`[data-key-of="${part.id}"].placeholder-glow`)) key.textContent = "\u2013";
}

for (const name of FAILED) {
  document.addEventListener(name, (event) => {
    const part = partOf(event);
    if (part) settle(part, true);
  });
}

document.addEventListener(DONE, (event) => {
  const part = event.target.closest("[data-part]");
  if (part) settle(part, false);
});

document.addEventListener("click", (event) => {
  const part = event.target.closest("[data-again]")?.closest("[data-part]");
  if (!part) return;
  part.setAttribute("aria-busy", "true");
  window.htmx.trigger(part, "again");
});

// One help at a time, and Escape closes it.
document.addEventListener("toggle", (event) => {
  if (!event.target.matches("details.help") || !event.target.open) return;
  for (const other of document.querySelectorAll("details.help[open]")) {
    if (other !== event.target) other.open = false;
  }
}, true);
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.help[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
