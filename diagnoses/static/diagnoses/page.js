// What every page does: it says when the device is offline.
const offline = document.getElementById("offline");

function say() {
  offline.hidden = navigator.onLine;
}

window.addEventListener("online", say);
window.addEventListener("offline", say);
say();
