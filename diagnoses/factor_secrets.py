"""The secrets of authenticator apps and recovery codes, which stand in the database under a key that does not."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def sealed(secret: str) -> str:
    """As it stands in the database."""
    return _cipher().encrypt(secret.encode()).decode()


def opened(token: str) -> str | None:
    """The secret again; None where no key of the site opens it any more."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken:
        return None


def resealed(token: str) -> str | None:
    """The same secret under the newest key; None where no key of the site opens it any more."""
    try:
        return _cipher().rotate(token.encode()).decode()
    except InvalidToken:
        return None


def _cipher() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([_fernet(str(key)) for key in keys])


def _fernet(key: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"second factors").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
