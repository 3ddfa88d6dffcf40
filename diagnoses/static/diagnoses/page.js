// What every page does: it says when the device is offline, and sends its forms with the token of now.
import "./csrf.js";

const offline = document.getElementById("offline");

function say() {
  offline.hidden = navigator.onLine;
}

window.addEventListener("online", say);
window.addEventListener("offline", say);
say();
