"""Codes of authenticator apps, each taken once, whichever of the site's processes it comes to."""

from typing import Any

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.db import transaction

_LAST = "last_counter"


@transaction.atomic
def take_code(authenticator: Any, code: str) -> bool:
    """Note that a right code was used. False where it, or a later one, was used before."""
    row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
    secret = decrypt(row.data["secret"])
    last = row.data.get(_LAST, -1)
    fitting = (
        counter
        for counter in yield_hotp_counters_from_time()
        if counter > last and compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter)))
    )
    if (counter := next(fitting, None)) is None:
        return False
    row.data[_LAST] = counter
    row.save(update_fields=["data"])
    return True
