// What every page does: it says when the device is offline, and when its user was signed out meanwhile.
const offline = document.getElementById("offline");
const signedOut = document.getElementById("signed-out");

function say() {
  offline.hidden = navigator.onLine;
}

window.addEventListener("online", say);
window.addEventListener("offline", say);
say();

// What a part of the page asks for is answered with the sign-in's page then, which is no part of any other. The page is
// left as it is, with what was typed into it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const from = new URL(event.detail.xhr.responseURL, location.href);
  if (from.pathname !== signedOut.dataset.signIn) return;
  event.detail.shouldSwap = false;
  signedOut.hidden = false;
});
