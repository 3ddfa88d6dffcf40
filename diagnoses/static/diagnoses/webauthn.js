// Asks the browser for a security key, and sends what the key signed with the form.
for (const form of document.querySelectorAll("form[data-key]")) {
  const failed = form.querySelector("[data-failed]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      form.elements.credential.value = JSON.stringify(await credential(form));
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
}

function credential(form) {
  const said = JSON.parse(document.getElementById(form.dataset.options).textContent);
  if (form.dataset.key === "get") return window.webauthnJSON.get(said.request_options);
  const { publicKey } = said.creation_options;
  const authenticatorSelection = { ...publicKey.authenticatorSelection, residentKey: "discouraged", requireResidentKey: false };
  return window.webauthnJSON.create({ publicKey: { ...publicKey, authenticatorSelection } });
}
