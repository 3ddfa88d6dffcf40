"""Sealing what tells of a person: AES-256-GCM under keys that the site keeps apart from its data.

The site's keys (`CXR_DATA_KEYS`) seal each patient's own key, and that seals the patient's identifiers and files. What
is sealed says where it belongs, so that it opens nowhere else. Besides there is one key that finds without opening:
what stands for a patient ID or a word is its HMAC. It never changes, or nothing would be found any more.
"""

import hmac
import re
import secrets
import unicodedata
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_PIECE = re.compile(r"[^\W_]+")
_EDGES = re.compile(r"^\W+|\W+$")


class SealError(Exception):
    """What is sealed does not open: the key is another or not there, or the value was altered or moved."""


class Sealed(bytes):
    """A value as the database has it. It shows nothing of itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<sealed>"

    __str__ = __repr__


def new_key() -> bytes:
    """A key for a patient, or for a file."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, data: bytes, place: str) -> Sealed:
    """The data, closed under the key and bound to its place."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return Sealed(_FORMAT + nonce + AESGCM(key).encrypt(nonce, data, place.encode()))


def unseal(key: bytes, sealed: bytes, place: str) -> bytes:
    """The data again. Raises SealError."""
    begin = len(_FORMAT)
    if sealed[:begin] != _FORMAT:
        raise SealError("This was not sealed here, or by a newer version.")
    try:
        return AESGCM(key).decrypt(sealed[begin : begin + _NONCE_BYTES], sealed[begin + _NONCE_BYTES :], place.encode())
    except (InvalidTag, ValueError) as error:
        raise SealError(f"{place.partition(':')[0]} does not open: another key, altered or moved.") from error


def newest_version() -> int:
    """Of the site's keys the one that seals."""
    return max(settings.CXR_DATA_KEYS.sealing)


def seal_key(key: bytes, place: str) -> tuple[Sealed, int]:
    """A patient's key, closed under the site's newest one, and which that is."""
    version = newest_version()
    return seal(_site_key(version, "patients' keys"), key, place), version


def unseal_key(sealed: bytes, version: int, place: str) -> bytes:
    """A patient's key again. Raises SealError."""
    return unseal(_site_key(version, "patients' keys"), sealed, place)


def seal_words(text: str, place: str) -> bytes:
    """What somebody looks for, closed under the site's newest key; its first byte says which that is."""
    version = newest_version()
    return bytes([version]) + seal(_site_key(version, "searches"), text.encode(), place)


def unseal_words(sealed: bytes, place: str) -> str:
    """The same again. Raises SealError."""
    if not sealed:
        raise SealError("There is nothing to open.")
    return unseal(_site_key(sealed[0], "searches"), sealed[1:], place).decode()


def fingerprint_of(said: object) -> str:
    """The same for the same, which nobody can guess from it."""
    return fingerprint(sha256(repr(said).encode()).hexdigest())


def fingerprint(digest: str) -> str:
    """What stands for a digest that could be guessed from what it is of."""
    return _mac("fingerprints", digest).hex()


def key_digest(key: str) -> str:
    """What stands for a sender's own key, which may well be an accession number; empty for none."""
    return _mac("idempotency keys", key).hex() if key else ""


def patient_index(patient_id: str) -> bytes | None:
    """What stands for a patient ID however it is spaced and cased; None where there is none."""
    normal = _folded(patient_id)
    return _mac("patient IDs", normal) if normal else None


def words_of(*texts: str) -> list[int]:
    """What stands for each word of the texts: as it is written, without the signs around it, and each part of it."""
    words: set[str] = set()
    for text in map(_folded, texts):
        for word in text.split():
            words |= {word, _EDGES.sub("", word), *_PIECE.findall(word)}
    return _hashed(words)


def looked_for(text: str) -> list[int]:
    """What has to stand beside a text for it to have all of these words. Never empty: signs alone are in nothing."""
    words = {_EDGES.sub("", word) or word for word in _folded(text).split()}
    return _hashed(words) or _hashed({"\x00"})


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def _hashed(words: set[str]) -> list[int]:
    return sorted(int.from_bytes(_mac("words", word)[:8], signed=True) for word in words if word)


def _mac(purpose: str, text: str) -> bytes:
    return hmac.digest(_derived(settings.CXR_DATA_KEYS.index, purpose), text.encode(), "sha256")


def _site_key(version: int, purpose: str) -> bytes:
    try:
        key = settings.CXR_DATA_KEYS.sealing[version]
    except KeyError:
        raise SealError(f"CXR_DATA_KEYS lacks version {version}, which this was sealed with.") from None
    return _derived(key, purpose)


@lru_cache(maxsize=64)
def _derived(key: bytes, purpose: str) -> bytes:
    """Keys of their own for each purpose, so that none is used for two."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"chest-xray-reader {purpose}".encode()).derive(key)
