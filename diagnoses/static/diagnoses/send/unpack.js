// The files in a ZIP, unpacked in this browser with limits, so that a small file cannot become an endless one.
import { say, size } from "./words.js";

const MOST_ENTRIES = 2000;
const MOST_BYTES = 2e9;

class Limit extends Error {}

// Counts what really comes out: an archive may say anything of its sizes.
function counting(budget) {
  const parts = [];
  const writable = new WritableStream({
    write(part) {
      budget.left -= part.length;
      budget.file -= part.length;
      if (budget.left < 0) throw new Limit(say("zipTooLarge", { size: size(MOST_BYTES) }));
      if (budget.file < 0) throw new Limit(say("fileTooLarge", { size: size(budget.most) }));
      parts.push(part);
    },
  });
  return { writable, parts };
}

async function unpacked(entry, budget) {
  budget.file = budget.most;
  const { writable, parts } = counting(budget);
  await entry.getData(writable, { useWebWorkers: false, checkSignature: true });
  return new Blob(parts);
}

// Gives { files, problem }: what was found, and in words what is wrong with the archive, if anything.
export async function unpack(archive, name, mostFileBytes) {
  let reader = null;
  const files = [];
  const budget = { left: MOST_BYTES, file: 0, most: mostFileBytes };
  try {
    const zip = await import("../../vendor/zip/zip.min.js");
    zip.configure({ useWebWorkers: false });
    reader = new zip.ZipReader(new zip.BlobReader(archive));
    const entries = (await reader.getEntries()).filter((entry) => !entry.directory);
    if (entries.length > MOST_ENTRIES) throw new Limit(say("zipTooMany", { n: MOST_ENTRIES }));
    if (entries.some((entry) => entry.encrypted)) throw new Limit(say("zipLocked"));
    for (const entry of entries) {
      files.push({ name: `${name}/${entry.filename}`, blob: await unpacked(entry, budget) });
    }
    return { files, problem: "" };
  } catch (error) {
    return { files, problem: `${name}: ${error instanceof Limit ? error.message : say("zipDamaged")}` };
  } finally {
    await reader?.close().catch(() => {});
  }
}
