// What can be known of a file before it is sent: whose it says it is, and whether it was sent before.
import { ask } from "./request.js";

// A header mostly lies in its first few kilobytes; on a slow line the rest is asked for only where it must be.
const HEADER_BYTES = [16 * 1024, 128 * 1024];
// The server answers no longer list.
const MOST_DIGESTS = 1000;

export async function patientOf(url, blob) {
  let said = null;
  for (const bytes of HEADER_BYTES) {
    const headers = { "Content-Type": "application/octet-stream" };
    said = await ask(url, { method: "POST", body: blob.slice(0, bytes), headers });
    if (!said?.patient || said.patient.complete || blob.size <= bytes) break;
  }
  return said === "signed-out" ? null : said;
}

// Empty where the browser does not compute it: it does so on https and on this machine's own address alone.
export async function digestOf(blob) {
  if (!globalThis.crypto?.subtle) return "";
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function seenBefore(url, digests) {
  const headers = { "Content-Type": "application/json" };
  const seen = {};
  for (let start = 0; start < digests.length; start += MOST_DIGESTS) {
    const body = JSON.stringify({ sha256: digests.slice(start, start + MOST_DIGESTS) });
    const said = await ask(url, { method: "POST", body, headers });
    Object.assign(seen, said?.seen);
  }
  return seen;
}
