"""How passwords are hashed: Argon2id, few at once."""

import threading

from django.contrib.auth.hashers import Argon2PasswordHasher

AT_ONCE = 4
"""In one process: each takes 100 MiB and up to eight threads, and anybody may ask for one."""
_turns = threading.BoundedSemaphore(AT_ONCE)


class BoundedArgon2Hasher(Argon2PasswordHasher):
    """Django's own, with the same hashes; who comes while others are at it waits for a turn."""

    def encode(self, password: str, salt: str) -> str:
        """A hash."""
        with _turns:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Whether it is of this password."""
        with _turns:
            return super().verify(password, encoded)
