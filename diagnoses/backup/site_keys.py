"""The secrets of a site, which are kept apart from what they open and prove."""

import hmac
import secrets
from pathlib import Path

from django.conf import settings

from diagnoses.backup.errors import BackupError
from diagnoses.backup.manifest import Held, Manifest, check_held, hash_of, write_private

_BACKUP_KEY = "backup_key"


def backup_key() -> str:
    """What signs this site's backups; made by the first one."""
    key = own(_BACKUP_KEY)
    if key is None:
        key = secrets.token_urlsafe(64)
        write_private(_place(_BACKUP_KEY), key.encode())
    return key


def backup_key_for(keys: Path) -> str:
    """What signed the backups of the site that these keys are of: this site's own where it has one."""
    path = keys / _BACKUP_KEY
    if not path.is_file():
        raise BackupError(
            f"The keys part is missing: there is no {_BACKUP_KEY} in {keys}. The main part alone opens no patient's "
            "data. Fetch the newest keys part from where it is kept apart, and name it with KEYS_FROM (--keys-from)."
        )
    return own(_BACKUP_KEY) or path.read_text()


def own(name: str) -> str | None:
    """A secret of this site, from its settings or its folder, where it has one."""
    given: str | None = settings.CXR_SECRETS.get(name)
    if given is None and _place(name).is_file():
        return _place(name).read_text()
    return given


def save(folder: Path) -> dict[str, Held]:
    """Write every secret that there is into this folder."""
    for name in settings.CXR_SECRET_NAMES:
        value = own(name)
        if value is not None:
            write_private(folder / name, value.encode())
    return {name: hash_of(folder / name) for name in settings.CXR_SECRET_NAMES if (folder / name).exists()}


def check(folder: Path, manifest: Manifest) -> None:
    """Raise BackupError where a secret was changed since, or where this site uses another."""
    for name, held in manifest.files.items():
        check_held(folder / name, held)
        mine = own(name)
        if mine is not None and not hmac.compare_digest(mine.encode(), (folder / name).read_bytes()):
            variable = settings.CXR_SECRET_NAMES[name]
            raise BackupError(
                f"This site has another {name} than the backup's. Give it the one in {folder / name} (as "
                f"{variable}, or in {_place(name)}) before you restore; what it signed or sealed needs it."
            )


def give_back(folder: Path, manifest: Manifest) -> list[str]:
    """Write the secrets that this site has none of into its folder: their names."""
    missing = [name for name in manifest.files if own(name) is None]
    for name in missing:
        write_private(_place(name), (folder / name).read_bytes())
    return missing


def _place(name: str) -> Path:
    return Path(settings.CXR_VAR_DIR) / name
