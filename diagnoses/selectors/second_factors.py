"""Who has a second factor, and who needs one."""

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User

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
