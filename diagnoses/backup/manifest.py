"""What a part of a backup holds, signed: a byte that was changed since is found before anything is restored."""

import hashlib
import hmac
import os
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from diagnoses.backup.errors import BackupError

_MANIFEST = "manifest.json"
_SIGNATURE = "manifest.hmac"
_CHUNK = 1024 * 1024


class Held(BaseModel):
    """A file as it was read: its hash in hexadecimal, and its bytes."""

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """A part of a backup. Times are the database's, of the moment that both parts show."""

    format: Literal[1] = 1
    part: Literal["main", "keys"]
    made_at: datetime
    versions: dict[str, str]
    migrations: list[tuple[str, str]]
    """By application and name."""
    counts: dict[str, int]
    """Rows by table."""
    heads: dict[str, str] = {}
    """The hash of the last row of each table of the audit."""
    dump: Held
    files: dict[str, Held] = {}
    """By the names that rows know them by, or of secrets."""
    archives: dict[str, Held] = {}
    """The audit's archived months, in the main part."""
    anchors: Held | None = None
    """The audit's anchors, in the keys part."""


def write_manifest(folder: Path, manifest: Manifest, key: str) -> None:
    """Write and sign it."""
    data = manifest.model_dump_json(indent=1).encode()
    write_private(folder / _MANIFEST, data)
    write_private(folder / _SIGNATURE, _sign(data, key).encode())


def read_manifest(folder: Path, part: str, key: str) -> Manifest:
    """The manifest of this part. Raises BackupError where it is another, changed, or not there."""
    try:
        data, signature = (folder / _MANIFEST).read_bytes(), (folder / _SIGNATURE).read_text()
    except FileNotFoundError as error:
        raise BackupError(_nothing_in(folder)) from error
    if not hmac.compare_digest(_sign(data, key), signature.strip()):
        raise BackupError(
            f"{folder / _MANIFEST} is not what was signed: it was changed, or belongs to another site's keys. Nothing "
            "was restored. Take another copy of this backup, or the keys part of the same site."
        )
    manifest = Manifest.model_validate_json(data)
    if manifest.part != part:
        raise BackupError(f"{folder} is the {manifest.part} part of a backup, and the {part} part is needed here.")
    return manifest


def check_held(path: Path, held: Held) -> None:
    """Raise BackupError where a file is not what the manifest says."""
    try:
        found = hash_of(path)
    except FileNotFoundError as error:
        raise BackupError(f"{path} is missing from the backup. Nothing was restored; take another copy.") from error
    if found != held:
        raise BackupError(f"{path} was changed since the backup. Nothing was restored; take another copy.")


def hash_of(path: Path) -> Held:
    """A file's hash and size."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Held(sha256=digest.hexdigest(), bytes=size)


def write_private(path: Path, data: bytes) -> None:
    """A new file that its owner alone can read, on the disk before this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sign(data: bytes, key: str) -> str:
    return hmac.new(key.encode(), b"cxr backup manifest\0" + data, hashlib.sha256).hexdigest()


def _nothing_in(folder: Path) -> str:
    inside = sorted(path.parent.name for path in folder.glob(f"*/{_MANIFEST}"))
    if inside:
        return f"{folder} holds several backups; name one of them: {', '.join(inside)}."
    return f"There is no backup in {folder}: {_MANIFEST} and {_SIGNATURE} belong there."
