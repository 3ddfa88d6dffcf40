// A sign-out leaves nothing in this browser, and says so before where files wait in it to be sent.
import { waiting } from "./send/store.js";

const form = document.getElementById("sign-out");

async function leave() {
  const count = await waiting(form.dataset.user);
  if (count && !globalThis.confirm(form.dataset.waiting)) return;
  sessionStorage.clear(); // as well where `Clear-Site-Data` is not heeded
  form.elements.keep.value = count ? "1" : "";
  form.submit();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  leave();
});
