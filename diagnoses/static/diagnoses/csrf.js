// The CSRF token as it is now: whoever signs in, in whatever tab, gets another, and pages that were open have the old one.
export function token() {
  return document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=([^;]+)/)?.[1] ?? "";
}

export function renewTokens() {
  const now = token();
  if (!now) return;
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = now;
}

// Before any script of the page looks at the form, or the browser sends it.
document.addEventListener("submit", renewTokens, { capture: true });
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get" && token()) event.detail.headers["X-CSRFToken"] = token();
});
