// Follows the system's light or dark setting, unless the user chose one. Not a module: it must run before the page is
// painted.
(() => {
  const root = document.documentElement;
  if (root.dataset.theme && root.dataset.theme !== "system") return;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => root.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  dark.addEventListener("change", apply);
  apply();
})();
