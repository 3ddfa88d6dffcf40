// A sign-out leaves nothing of the user in this browser, and says so before where files wait in it to be sent. What is
// another user's stays, and so do choices of this device.
import { forget, waiting } from "./send/store.js";

const form = document.getElementById("sign-out");
const { user } = form.dataset;
const tabs = new BroadcastChannel("sign-out");

async function leave() {
  const count = await waiting(user);
  if (count && !globalThis.confirm(form.dataset.waiting)) return;
  if (!count) await forget(user);
  sessionStorage.clear();
  tabs.postMessage(user);
  form.submit();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  leave();
});
// Each tab has drafts of its own.
tabs.addEventListener("message", (event) => {
  if (event.data === user) sessionStorage.clear();
});
