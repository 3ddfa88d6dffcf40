"""Who has a second factor, and who needs one."""

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User

from diagnoses.factor_secrets import opened
from diagnoses.roles import Role

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes stand in for one of these and are none themselves."""


def has_second_factor(user: User) -> bool:
    """Whether the user is asked for one at sign-in."""
    return bool(Authenticator.objects.filter(user=user, type__in=FACTORS).exists())


def needs_second_factor(user: User) -> bool:
    """Whether one of the user's roles demands it. Superusers count as administrators."""
    roles: frozenset[str] = settings.CXR_MFA_ROLES
    if not roles:
        return False
    if user.is_superuser and Role.ADMINISTRATOR in roles:
        return True
    return user.groups.filter(name__in=roles).exists()


def lacks_second_factor(user: User | AnonymousUser) -> bool:
    """Whether the user needs one and has none: nothing but setting one up is open to them, whatever they sign in by."""
    return isinstance(user, User) and needs_second_factor(user) and not has_second_factor(user)


def has_lost_secrets(user: User) -> bool:
    """Whether no key of the site opens the secret of the user's app, or of their recovery codes."""
    return any(is_lost(factor) for factor in Authenticator.objects.filter(user=user))


def is_lost(factor: Authenticator) -> bool:
    """Whether no key of the site opens its secret any more."""
    data = factor.data
    tokens = [data[name] for name in ("secret", "seed") if name in data] + list(data.get("migrated_codes", ()))
    return any(opened(token) is None for token in tokens)
