// Menus that close again, and a button that waits until as many boxes are ticked as it needs. All works without it.
const menus = [...document.querySelectorAll("details.menu")];

function closeAllBut(kept) {
  for (const menu of menus) if (menu !== kept) menu.open = false;
}

document.addEventListener("click", (event) => closeAllBut(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  const open = menus.find((menu) => menu.open);
  if (event.key !== "Escape" || !open) return;
  closeAllBut(null);
  open.querySelector("summary").focus();
});

const button = document.querySelector("[data-exactly]");

function count() {
  const ticked = document.querySelectorAll('input[form="compare-form"]:checked');
  const studies = new Set([...ticked].map((box) => box.value));
  button.disabled = studies.size !== Number(button.dataset.exactly);
}

if (button) {
  document.addEventListener("change", count);
  // A page that comes back from the browser's history has its ticks again.
  window.addEventListener("pageshow", count);
  count();
}
