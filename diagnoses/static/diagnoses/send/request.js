// Asking the server, and telling apart the ways in which it may not answer.
import { token } from "../csrf.js";
import { say } from "./words.js";

const STALLED_MS = 60_000;
const WORTH_REPEATING = new Set([0, 408, 425, 429]);

// A JSON answer; null where there is none to be had now; "signed-out" where the sign-in page came instead.
export async function ask(url, options = {}) {
  const headers = { Accept: "application/json", "X-CSRFToken": token(), ...options.headers };
  try {
    const response = await fetch(url, { ...options, headers });
    if (response.redirected) return "signed-out";
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function outcome(request, url) {
  if (!request.responseURL.endsWith(url)) return { kind: "signed-out" };
  const { status } = request;
  let body = null;
  try {
    body = JSON.parse(request.responseText);
  } catch {
    // Not from our own view: a proxy before it, or Django itself.
    if (status === 403) return { kind: "forbidden" };
    if (status < 400 || status >= 500 || WORTH_REPEATING.has(status)) return { kind: "unreachable" };
    return { kind: "failed", error: { message: say("notAccepted", { status }) } };
  }
  if (status === 200) return { kind: body.error ? "refused" : "taken", ...body };
  if (status === 429) return { kind: "busy", seconds: Number(request.getResponseHeader("Retry-After")) || 10 };
  if (status >= 500) return { kind: "unreachable", ...body };
  return { kind: body.error?.code === "another_user" ? "another-user" : "failed", ...body };
}

// Sends a form and says how far it is. The outcome is one of: taken, refused, failed, busy, unreachable, signed-out,
// forbidden, another-user, cancelled.
export function upload(url, fields, { progressed, signal }) {
  const request = new XMLHttpRequest();
  let watch = null;
  const moved = () => {
    clearTimeout(watch);
    watch = setTimeout(() => request.abort(), STALLED_MS);
  };
  const sent = new Promise((resolve) => {
    request.onload = () => resolve(outcome(request, url));
    request.onerror = () => resolve({ kind: "unreachable" });
    request.onabort = () => resolve({ kind: signal.aborted ? "cancelled" : "unreachable" });
  });
  request.upload.onprogress = (event) => {
    moved();
    if (event.lengthComputable) progressed(event.loaded / event.total);
  };
  signal.addEventListener("abort", () => request.abort());
  request.open("POST", url);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("X-CSRFToken", token());
  moved();
  request.send(fields);
  return sent.finally(() => clearTimeout(watch));
}
