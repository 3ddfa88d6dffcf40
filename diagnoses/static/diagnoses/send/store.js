// Keeps the files that are not with the server yet, and what is known of each, in this browser: a reload or a crash
// costs nothing. Every record's key begins with the user's, and what is another user's is removed when the page opens.
const NAME = "cxr-send";
const KINDS = ["groups", "files", "blobs"];

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function committed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

function opened() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    for (const kind of KINDS) request.result.createObjectStore(kind, { keyPath: ["user", "key"] });
  };
  return answer(request);
}

// How many files of this user are kept here and are not with the server; none where this browser keeps nothing.
export async function waiting(user) {
  try {
    const database = await opened();
    const own = IDBKeyRange.bound([user], [user, []]);
    const count = await answer(database.transaction("blobs").objectStore("blobs").count(own));
    database.close();
    return count;
  } catch {
    return 0;
  }
}

// Removes all that is kept here of this user, and nothing of anybody else's.
export async function forget(user) {
  try {
    const database = await opened();
    const removing = database.transaction(KINDS, "readwrite");
    for (const kind of KINDS) removing.objectStore(kind).delete(IDBKeyRange.bound([user], [user, []]));
    await committed(removing);
    database.close();
  } catch {
    // This browser keeps nothing.
  }
}

export class Store {
  #database = null;
  #user;

  constructor(user) {
    this.#user = user;
  }

  // False where this browser keeps nothing, or has no room left.
  works = false;

  async open() {
    try {
      this.#database = await opened();
      this.works = true;
      await this.#write(KINDS, (objects) => {
        objects.delete(IDBKeyRange.upperBound([this.#user], true));
        objects.delete(IDBKeyRange.lowerBound([this.#user, []], true));
      });
    } catch {
      this.works = false;
    }
  }

  async load() {
    if (!this.works) return { groups: [], files: [], blobs: new Set() };
    const own = IDBKeyRange.bound([this.#user], [this.#user, []]);
    const reading = this.#database.transaction(KINDS);
    const [groups, files, keys] = await Promise.all([
      answer(reading.objectStore("groups").getAll(own)),
      answer(reading.objectStore("files").getAll(own)),
      answer(reading.objectStore("blobs").getAllKeys(own)),
    ]);
    return { groups, files, blobs: new Set(keys.map(([, key]) => key)) };
  }

  put(kind, record) {
    return this.#write([kind], (objects) => objects.put({ ...record, user: this.#user }));
  }

  remove(kind, key) {
    return this.#write([kind], (objects) => objects.delete([this.#user, key]));
  }

  async blob(key) {
    if (!this.#database) return null;
    const found = await answer(this.#database.transaction("blobs").objectStore("blobs").get([this.#user, key]));
    return found?.blob ?? null;
  }

  async #write(kinds, change) {
    if (!this.#database) return;
    try {
      const writing = this.#database.transaction(kinds, "readwrite");
      for (const kind of kinds) change(writing.objectStore(kind));
      await committed(writing);
    } catch {
      this.works = false;
    }
  }
}
