// Fetches a picture at its full depth: a line of JSON with its facts, then its values row by row.

export class LoadError extends Error {
  /** `reason` is signedOut, missing, or unreachable. */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** Facts and values; `onShare` is told how much of them is there, 0 to 1. */
export async function loadPixels(url, onShare, signal) {
  const bytes = await bodyOf(await answerOf(url, signal), onShare, signal);
  const end = bytes.indexOf(10);
  const facts = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  const Values = facts.type === "uint16" ? Uint16Array : Uint8Array;
  const values = new Values(bytes.buffer, end + 1, facts.rows * facts.columns);
  return { facts, values };
}

/** Asks, and knows apart why there is no answer. */
export async function answerOf(url, signal) {
  let response;
  try {
    response = await fetch(url, { signal, headers: { Accept: "application/octet-stream, image/png" } });
  } catch (error) {
    throw signal.aborted ? error : new LoadError("unreachable");
  }
  if (response.redirected) {
    document.dispatchEvent(new Event("session-doubt"));
    throw new LoadError("signedOut");
  }
  if (response.status === 404) throw new LoadError("missing");
  if (!response.ok) throw new LoadError("unreachable");
  return response;
}

async function bodyOf(response, onShare, signal) {
  const bytes = new Uint8Array(Number(response.headers.get("X-Content-Bytes")));
  const reader = response.body.getReader();
  let filled = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      bytes.set(part.value, filled);
      filled += part.value.length;
      onShare(filled / bytes.length);
    }
  } catch (error) {
    throw signal.aborted ? error : new LoadError("unreachable");
  }
  if (filled !== bytes.length) throw new LoadError("unreachable");
  return bytes;
}
