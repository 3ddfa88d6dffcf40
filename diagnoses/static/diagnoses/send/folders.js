// The files in what was dropped or picked: whole folders with all that is in them, each file with its path as its name.
const MOST_FILES = 2000;
const order = new Intl.Collator(undefined, { numeric: true });

// What was picked one by one keeps its order.
function sorted(found) {
  if (!found.some(({ name }) => name.includes("/"))) return found;
  return found.sort((one, other) => order.compare(one.name, other.name));
}

export function picked(list) {
  return sorted([...list].map((file) => ({ name: file.webkitRelativePath || file.name, blob: file })));
}

// Call it in the event's own turn: afterwards the browser forgets what was dropped.
export function dropped(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.());
  if (!entries.length || entries.some((entry) => !entry)) return Promise.resolve(picked(transfer.files));
  return walk(entries);
}

async function walk(entries) {
  const found = [];
  const left = [...entries];
  while (left.length && found.length <= MOST_FILES) {
    const entry = left.pop();
    if (entry.isDirectory) left.push(...(await children(entry)));
    else found.push({ name: entry.fullPath.replace(/^\//, ""), blob: await fileOf(entry) });
  }
  return sorted(found.filter(({ blob }) => blob));
}

function fileOf(entry) {
  return new Promise((resolve) => {
    entry.file(resolve, () => resolve(null));
  });
}

async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    // A folder is given out in parts, and an empty one says that there are no more.
    const part = await new Promise((resolve) => {
      reader.readEntries(resolve, () => resolve([]));
    });
    if (!part.length) return all;
    all.push(...part);
  }
}

export { MOST_FILES };
