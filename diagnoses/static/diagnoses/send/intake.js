// From what was dropped or picked to files on the page: archives unpacked, each file looked at before it is sent.
import { MOST_FILES } from "./folders.js";
import { digestOf, patientOf, seenBefore } from "./inspect.js";
import { kindOf } from "./kinds.js";
import { unpack } from "./unpack.js";
import { count, say, size } from "./words.js";

const AT_ONCE = 3;

async function inTurns(items, act) {
  const left = [...items];
  const turns = Array.from({ length: AT_ONCE }, async () => {
    while (left.length) await act(left.shift());
  });
  await Promise.all(turns);
}

// Archives opened, and what is in them and in folders but is no radiograph left out.
async function opened(found, page) {
  const files = [];
  const problems = [];
  let leftOut = 0;
  for (const { name, blob } of found) {
    const kind = await kindOf(blob).catch(() => null);
    if (kind === null) {
      // It is gone from where it was, or may not be read.
      problems.push(`${name}: ${say("lost")}`);
      continue;
    }
    if (kind !== "zip") {
      if (kind && !isDirectory(name)) files.push({ name, blob, kind });
      else if (name.includes("/")) leftOut += 1;
      else files.push({ name, blob, kind });
      continue;
    }
    const { files: inside, problem } = await unpack(blob, name, page.mostBytes);
    if (problem) problems.push(problem);
    for (const file of inside) {
      const kindInside = await kindOf(file.blob);
      if (kindInside === "zip") problems.push(say("zipInZip", { name: file.name }));
      else if (kindInside && !isDirectory(file.name)) files.push({ ...file, kind: kindInside });
      else leftOut += 1;
    }
  }
  if (leftOut) problems.push(count("leftOut", leftOut));
  return { files, problems };
}

// The list of what is on a disc, which is DICOM, too.
function isDirectory(name) {
  return /(^|\/)DICOMDIR$/i.test(name);
}

function fault({ blob, kind }, page) {
  if (!blob.size) return say("empty");
  if (!kind) return say("noRadiograph");
  return blob.size > page.mostBytes ? say("fileTooLarge", { size: size(page.mostBytes) }) : "";
}

async function lookAt(file, kind, page) {
  const blob = file.blob;
  const said = kind === "dicom" ? await patientOf(page.header, blob) : null;
  if (said?.error) Object.assign(file, { state: "refused", reason: said.error.message });
  if (said?.patient) file.patient = withNames(said.patient);
  file.sha = await digestOf(blob).catch(() => "");
}

function withNames({ sex, birth_date: born, ...rest }) {
  return { ...rest, patient_sex: sex, patient_birth_date: born ?? "" };
}

function markTwins(tray) {
  const known = new Set();
  for (const file of tray.all) {
    if (!file.sha) continue;
    if (known.has(file.sha) && file.state === "draft") file.seen ??= { study: "" };
    known.add(file.sha);
  }
}

// Adds the files to the tray, tells `added` as soon as they are there, and gives the problems there were, in words.
export async function takeIn(found, tray, page, added) {
  if (found.length > MOST_FILES) return [say("tooMany", { n: MOST_FILES })];
  const { files, problems } = await opened(found, page);
  const fresh = files.map(({ kind, ...rest }) => {
    const reason = fault({ ...rest, kind }, page);
    return { file: tray.add({ ...rest, reason, state: reason ? "refused" : "looking" }), kind };
  });
  added();
  const good = fresh.filter(({ file }) => file.state === "looking");
  await inTurns(good, async ({ file, kind }) => {
    if (!tray.files.has(file.key)) return; // it was removed meanwhile
    await lookAt(file, kind, page);
    await tray.keep(file);
  });
  const seen = await seenBefore(page.seen, [...new Set(good.map(({ file }) => file.sha).filter(Boolean))]);
  for (const { file } of good) {
    file.seen = seen[file.sha] ?? null;
    if (file.state === "looking") file.state = "draft";
  }
  markTwins(tray);
  await inTurns(good, ({ file }) => tray.save(file));
  return problems;
}
