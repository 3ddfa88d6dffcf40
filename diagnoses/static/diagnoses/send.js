// Dropping files, saying what is chosen, and guarding against a second click. The form works without it.
const form = document.getElementById("send-form");
const input = document.getElementById("id_files");
const drop = document.getElementById("drop");

function describe() {
  const files = [...input.files];
  const megabytes = files.reduce((sum, file) => sum + file.size, 0) / 1e6;
  const noun = files.length === 1 ? "file" : "files";
  document.getElementById("chosen").textContent = files.length
    ? `${files.length} ${noun} chosen, ${megabytes.toFixed(1)} MB`
    : "";
}

for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.remove("over");
  });
}
drop.addEventListener("drop", (event) => {
  input.files = event.dataTransfer.files;
  describe();
});
input.addEventListener("change", describe);
form.addEventListener("submit", () => {
  document.getElementById("send-button").disabled = true;
  document.getElementById("sending").textContent = "Sending…";
});
// A page that comes back from the browser's history must not stay locked.
window.addEventListener("pageshow", () => {
  document.getElementById("send-button").disabled = false;
  document.getElementById("sending").textContent = "";
});
