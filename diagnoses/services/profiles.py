"""Keeping what users choose."""

from typing import Any

from django.contrib.auth.models import User

from diagnoses.models import Profile


def save_profile(*, user: User, **choices: Any) -> Profile:
    """Keep these choices beside those that were made before."""
    profile, _ = Profile.objects.update_or_create(user=user, defaults=choices)
    return profile
