"""Sealing anew, with the newest CXR_SECRET_KEY, the secrets of second factors."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.factor_secrets import resealed
from diagnoses.models.audit import AuditAction


@transaction.atomic
def rotate_factors(*, actor: Actor) -> tuple[int, int]:
    """Seal them all with the newest key; says how many factors were, and how many no key of the site opens.

    After it the older keys serve sessions alone. What no key opens stays as it is: the key may come back.
    """
    rotated = lost = 0
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
    for factor in Authenticator.objects.select_for_update().filter(type__in=kinds).order_by("pk"):
        data = _resealed(factor.data)
        if data is None:
            lost += 1
            continue
        factor.data = data
        factor.save(update_fields=["data"])
        rotated += 1
    audit.record(AuditAction.KEYS_ROTATED, actor, factors=rotated, lost=lost)
    return rotated, lost


def _resealed(data: dict[str, Any]) -> dict[str, Any] | None:
    anew = data | {name: resealed(data[name]) for name in ("secret", "seed") if name in data}
    if "migrated_codes" in data:
        anew["migrated_codes"] = [resealed(code) for code in data["migrated_codes"]]
    return None if None in anew.values() or None in anew.get("migrated_codes", ()) else anew
