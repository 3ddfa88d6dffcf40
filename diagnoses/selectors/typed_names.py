"""The name that a sign-in was tried with, for the record."""

import hashlib
import hmac

from django.conf import settings
from django.contrib.auth.models import User

_SHOWN = 8


def name_for_record(typed: str) -> str:
    """The account's name where there is such an account.

    Else it may be a password in the wrong field, which must not stand where nothing is ever removed: a few digits of a
    keyed hash tell repeats from each other. No account's name has the blank and the brackets.
    """
    if "\0" not in typed and User.objects.filter(username=typed).exists():
        return typed
    digest = hmac.new(b"typed names" + settings.SECRET_KEY.encode(), typed.encode(), hashlib.sha256).hexdigest()
    return f"unknown ({digest[:_SHOWN]})"
