// The form for one's own reading: a key for each choice, a finding filled in from agreement, and a draft that outlives
// a reload, an error, and the arrival of an answer while one writes. The form works without it.
const images = document.getElementById("images");
const FIELDS = ["agreement", "finding", "text"];
const SENT = "reading sent";
let lastFocus = null;

function saidIn(form) {
  const data = new FormData(form);
  return Object.fromEntries(FIELDS.map((name) => [name, data.get(name) ?? ""]));
}

function fill(form, said) {
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (field && said[name] !== undefined) field.value = said[name];
  }
}

function keep(form) {
  sessionStorage.setItem(form.dataset.draft, JSON.stringify(saidIn(form)));
}

function opposite(label) {
  return label === "NORMAL" ? "PNEUMONIA" : "";
}

// What the agreement leaves no choice about. Whoever disagrees with Pneumonia still says what else they see.
function prefill(form) {
  const findings = {
    agree: form.dataset.label,
    disagree: opposite(form.dataset.label),
    cannot_tell: "CANNOT_TELL",
  };
  const finding = findings[form.elements.agreement.value];
  for (const choice of form.elements.finding) choice.checked = choice.value === finding;
}

// A finding that contradicts the agreement takes it along, so that nobody signs what they did not mean.
function follow(form) {
  const { label } = form.dataset;
  if (!label) return;
  const finding = form.elements.finding.value;
  const same = (finding === "PNEUMONIA") === (label === "PNEUMONIA");
  form.elements.agreement.value = finding === "CANNOT_TELL" ? "cannot_tell" : same ? "agree" : "disagree";
}

function begin(form) {
  form.dataset.begun = "";
  const draft = sessionStorage.getItem(form.dataset.draft);
  if (draft) {
    fill(form, JSON.parse(draft));
    if (form.dataset.label && form.elements.finding.value) follow(form);
    form.closest("details")?.setAttribute("open", "");
  }
  for (const choice of form.elements.finding) choice.required = true;
  form.querySelector(".reading-keys").hidden = false;
  form.closest("[data-image]").tabIndex = -1;
}

function beginAll() {
  const forms = [...images.querySelectorAll("[data-reading]:not([data-begun])")];
  forms.forEach(begin);
  const held = images.querySelector("[data-held]");
  if (held) giveFocusBack(held);
}

// To what had it, where the section that came in its place still has that; to the section where not.
function giveFocusBack(section) {
  const { id, from, to } = lastFocus ?? {};
  section.removeAttribute("data-held");
  section.tabIndex = -1;
  section.focus({ preventScroll: true });
  const focused = id && document.getElementById(id);
  if (!section.contains(focused || null)) return;
  focused.focus({ preventScroll: true });
  if (focused.matches("textarea")) focused.setSelectionRange(from, to);
}

function remember(event) {
  const { id, selectionStart: from, selectionEnd: to } = event.target;
  lastFocus = { id, from, to };
}

images.addEventListener("focusin", remember);
images.addEventListener("keyup", remember);

images.addEventListener("input", (event) => {
  const form = event.target.closest("[data-reading]");
  if (!form) return;
  if (event.target.name === "agreement") prefill(form);
  if (event.target.name === "finding") follow(form);
  keep(form);
});

images.addEventListener("keydown", (event) => {
  const section = event.target.closest("[data-image]");
  const form = section?.querySelector("[data-reading]");
  if (!form || event.defaultPrevented || event.altKey || event.metaKey || event.target.closest("dialog")) return;
  if (event.ctrlKey) {
    const maySign = !event.repeat && !form.querySelector("[type=submit]").disabled;
    if (event.key === "Enter" && maySign && form.contains(event.target)) form.requestSubmit();
    return;
  }
  // To the viewer a digit says how large the picture is to be.
  if (/^\d$/.test(event.key) && event.target.closest("[data-viewer]")) return;
  if (event.target.matches("textarea, select, input:not([type=radio])")) return;
  const choice = form.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!choice || form.closest("details:not([open])")) return;
  event.preventDefault();
  choice.focus();
  choice.click();
});

images.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-reading]")) return;
  form.querySelector("[type=submit]").disabled = true;
  sessionStorage.setItem(SENT, JSON.stringify({ draft: form.dataset.draft, replaces: form.elements.replaces.value }));
});
// A page that comes back from the browser's history must not stay locked.
window.addEventListener("pageshow", () => {
  for (const button of images.querySelectorAll("[data-reading] [type=submit]")) button.disabled = false;
});

// What has been signed is no draft any more. That it was is seen by what a further signature would replace.
function forgetSigned() {
  const sent = JSON.parse(sessionStorage.getItem(SENT) ?? "null");
  sessionStorage.removeItem(SENT);
  const form = sent && images.querySelector(`[data-draft="${CSS.escape(sent.draft)}"]`);
  if (!form || images.querySelector("[role=alert]")) return;
  if (form.elements.replaces.value !== sent.replaces) sessionStorage.removeItem(sent.draft);
}

forgetSigned();
beginAll();
new MutationObserver(beginAll).observe(images, { childList: true });

// The keys belong to the image that has the focus; a study of one image is meant to be read at once.
const sections = images.querySelectorAll("[data-image]");
if (sections.length === 1 && document.activeElement === document.body && !location.hash) {
  sections[0].focus({ preventScroll: true });
}
