"""Passwords that are one well-known word in disguise: padded, doubled, or written with digits for letters."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

HOUSE = frozenset(
    {
        "admin",
        "administrator",
        "aid",
        "bacsi",
        "benhvien",
        "chest",
        "clinic",
        "clinician",
        "covid",
        "cxr",
        "diagnoses",
        "diagnosis",
        "dicom",
        "doctor",
        "hospital",
        "image",
        "imaging",
        "lung",
        "lungs",
        "medical",
        "nurse",
        "pacs",
        "patient",
        "phoi",
        "pneumonia",
        "radiograph",
        "radiographer",
        "radiography",
        "radiologist",
        "radiology",
        "ray",
        "rays",
        "reader",
        "reading",
        "report",
        "scan",
        "viemphoi",
        "ward",
        "xquang",
        "xray",
        "xrays",
    }
)
"""What anybody would try first at this product, in English and Vietnamese, without accents."""
_SHORTEST = 3
_SHORTEST_COMMON = 4
_LONGEST = 64
"""Letters; what has more is told from one word by its length alone, once repetitions are taken out."""
_WRITTEN_FOR = [str.maketrans("013457@$!", letters) for letters in ("oleastasl", "oieastasi")]


class DisguisedWordValidator:
    """Neither a common password nor words of the house or the user, with digits and signs around or within them."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError for one of them."""
        own = HOUSE | _words_of_site() | _words_of(user)
        if any(_is_made_of(said, own) for said in _readings(password)):
            raise ValidationError(
                _(
                    "This is a common password, a name or a word of this site with a few characters added, which is "
                    "tried early. Take several words that have nothing to do with each other."
                ),
                code="password_disguised",
            )

    def get_help_text(self) -> str:
        """For a form."""
        return _("Not a common password, your name or a word of this site with digits or signs added.")


def _plain(text: str) -> str:
    """In small letters, without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    return "".join(character for character in apart if not unicodedata.combining(character))


def _readings(password: str) -> set[str]:
    """What a password may stand for: its letters, with the digits at its ends left out, or read as letters."""
    plain = _unrepeated(_plain(password))
    found = re.search(r"[^\W\d_](?:.*[^\W\d_])?", plain, re.DOTALL)
    bare = found.group() if found else ""
    written = [bare, *(text.translate(table) for text in (bare, plain) for table in _WRITTEN_FOR)]
    return {plain, *(_unrepeated(re.sub(r"[\W\d_]+", "", text)) for text in written)}


def _unrepeated(text: str) -> str:
    """What the text is a repetition of; itself where it is none."""
    again = (text + text).find(text, 1)
    return text[:again] if 0 < again < len(text) else text


def _is_made_of(said: str, own: frozenset[str]) -> bool:
    """Whether it is nothing but such words, of which one may be a common password, as often as one likes."""
    common = _common()

    @cache
    def splits(rest: str, taken: str) -> bool:
        if not rest:
            return True
        pieces = (rest[:end] for end in range(len(rest), _SHORTEST - 1, -1))
        return any(
            splits(rest[len(piece) :], taken if piece in own else piece)
            for piece in pieces
            if piece in own or (len(piece) >= _SHORTEST_COMMON and piece in common and taken in ("", piece))
        )

    return 0 < len(said) <= _LONGEST and splits(said, "")


@cache
def _common() -> frozenset[str]:
    return frozenset(CommonPasswordValidator().passwords)


def _words_of_site() -> frozenset[str]:
    """The names that the site answers to."""
    return frozenset(_parts([*settings.ALLOWED_HOSTS, str(settings.CXR_SITE_URL or "")]))


def _words_of(user: User | None) -> frozenset[str]:
    if user is None:
        return frozenset()
    return frozenset(_parts([user.get_username(), user.first_name, user.last_name, *user.email.split("@")]))


def _parts(names: list[str]) -> Iterator[str]:
    for name in names:
        letters = re.findall(r"[^\W\d_]+", _plain(name))
        yield from (part for part in [*letters, "".join(letters)] if len(part) >= _SHORTEST)
