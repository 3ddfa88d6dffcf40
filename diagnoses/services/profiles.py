"""Keeping what users choose."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from diagnoses import audit
from diagnoses.audit import Actor
from diagnoses.models import Profile
from diagnoses.models.audit import AuditAction


@transaction.atomic
def save_profile(*, user: User, actor: Actor, **choices: Any) -> Profile:
    """Keep these choices beside those that were made before.

    Who no longer reads first sees every answer from then on, which is put on record.
    """
    profile, _ = Profile.objects.select_for_update().get_or_create(user=user)
    read_first = profile.reads_first
    for name, value in choices.items():
        setattr(profile, name, value)
    if profile.reads_first and not read_first:
        profile.reads_first_since = Now()
    if read_first and not profile.reads_first:
        audit.record(AuditAction.ANSWER_UNCOVERED, actor, user)
    profile.save()
    return profile
