"""What of the audit lies outside of the database: its archived months, and the anchors that prove its end."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from diagnoses.backup.errors import BackupError
from diagnoses.backup.manifest import Held, Manifest, check_held, hash_of, write_private
from diagnoses.selectors.audit_chain import archive_names

ANCHORS = "anchors.jsonl"

_Say = Callable[[str], None]


def save_anchors(keys: Path, say: _Say) -> Held | None:
    """Copy the anchors into the keys part. To be done before the dump, whose chain then reaches to the last of them."""
    path = Path(settings.CXR_AUDIT_ANCHORS)
    if not path.is_file():
        say(f"There is no {path}: this backup is without the audit's anchors.")
        return None
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # no half of a line
        data = file.read()
    write_private(keys / ANCHORS, data)
    return hash_of(keys / ANCHORS)


def save_archives(main: Path, say: _Say) -> dict[str, Held]:
    """Copy the files of the archived months into the main part: what they are, by name."""
    held = {}
    for name in archive_names():
        path = Path(settings.CXR_AUDIT_ARCHIVES) / name
        if path.is_file():
            write_private(main / name, path.read_bytes())
            held[name] = hash_of(main / name)
        else:
            say(f"There is no {path}: this backup is without that month of the audit. Keep its file yourself.")
    return held


def check(folder: Path, keys: Path, main: Manifest, of_keys: Manifest) -> None:
    """Raise BackupError where one was changed since, or where this system has another archive of that name."""
    for name, held in main.archives.items():
        check_held(folder / name, held)
        path = Path(settings.CXR_AUDIT_ARCHIVES) / name
        if path.exists() and hash_of(path) != held:
            raise BackupError(f"{path} is another file than the backup's. Move it away before you restore.")
    if of_keys.anchors:
        check_held(keys / ANCHORS, of_keys.anchors)


@contextmanager
def given_back(folder: Path, keys: Path, main: Manifest, of_keys: Manifest, say: _Say) -> Iterator[None]:
    """Put them where the settings say, and take them away again where something fails. What is there already stays."""
    to_bring = {folder / name: Path(settings.CXR_AUDIT_ARCHIVES) / name for name in main.archives}
    if of_keys.anchors:
        to_bring[keys / ANCHORS] = Path(settings.CXR_AUDIT_ANCHORS)
    brought = []
    try:
        for source, target in to_bring.items():
            if target.exists():
                say(f"{target} is there already, and stays as it is.")
                continue
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            brought.append(target)
            write_private(target, source.read_bytes())
        yield
    except BaseException:
        for target in brought:
            target.unlink(missing_ok=True)
        raise
