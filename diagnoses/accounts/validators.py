"""What a password must be, beside not being a common one: long."""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import ngettext

LENGTH = 12
STAFF_LENGTH = 15


class LengthValidator:
    """Long enough, and longer for those who administer."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError for one that is too short."""
        length = STAFF_LENGTH if user is not None and (user.is_staff or user.is_superuser) else LENGTH
        if len(password) < length:
            words = ngettext(
                "The password is too short: take at least {count} character.",
                "The password is too short: take at least {count} characters.",
                length,
            )
            raise ValidationError(words.format(count=length), code="password_too_short")

    def get_help_text(self) -> str:
        """For a form."""
        words = ngettext("At least {count} character", "At least {count} characters", LENGTH).format(count=LENGTH)
        longer = ngettext("{count} for staff", "{count} for staff", STAFF_LENGTH).format(count=STAFF_LENGTH)
        return f"{words}, {longer}."
