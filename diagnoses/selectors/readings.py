"""What clinicians signed of an image, whose turn it is, and which of it counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from diagnoses.models import Reading, Result
from diagnoses.models.job import Label
from diagnoses.models.reading import Agreement, Finding, Part
from diagnoses.roles import MAY_SEE_EVERY_STUDY, MAY_SIGN
from diagnoses.selectors.hiding import blind_part
from diagnoses.selectors.viewers import Viewer


@dataclass(frozen=True)
class Signed:
    """What one reader says of an image, and what they said before, newest first."""

    reading: Reading
    earlier: list[Reading] = field(default_factory=list)


@dataclass(frozen=True)
class SignedReadings:
    """All that was signed of an image, as one user may see it."""

    own: Signed | None = None
    others: list[Signed] = field(default_factory=list)
    others_hidden: bool = False
    """Whether the user has to read without knowing what the others said."""
    part: Part | None = None
    """In which part the user may sign: again in that of their own reading, else in the next one that is free."""
    wanted: str = ""
    """What the image still needs, in words."""

    @property
    def fingerprint(self) -> str:
        """Changes with every signature, and with what the user may sign."""
        signed = [self.own, *self.others] if self.own else self.others
        return " ".join([str(self.part or ""), *(str(each.reading.pk) for each in signed)])


def signed_readings(user: Viewer, readings: Sequence[Reading]) -> SignedReadings:
    """The readings of one image, from new to old, for this user."""
    current = [Signed(reading, _earlier(reading, readings)) for reading in current_readings(readings).values()]
    own = next((signed for signed in current if signed.reading.reader_id == user.pk), None)
    part = part_of(user, readings)
    return SignedReadings(
        own,
        [signed for signed in current if signed is not own],
        others_hidden=part is Part.SECOND and own is None,
        part=part,
        wanted=wanted_of(readings),
    )


def current_readings(readings: Iterable[Reading]) -> dict[Part, Reading]:
    """Of each part the reading that no later one replaces, in the order of the parts."""
    readings = list(readings)
    replaced = {reading.replaces_id for reading in readings}
    current = {reading.part: reading for reading in readings if reading.pk not in replaced}
    return {part: current[part] for part in Part if part in current}


def wanted_of(readings: Iterable[Reading]) -> str:
    """What an image that somebody has read still needs on a site with second readers; empty for nothing."""
    current = current_readings(readings)
    if not settings.CXR_SECOND_READER or Part.FIRST not in current:
        return ""
    if Part.SECOND not in current:
        return _("Second reading wanted")
    return _("Arbitration wanted") if _is_disputed(current) else ""


def part_of(user: Viewer, readings: Sequence[Reading]) -> Part | None:
    """In which part the user may sign a reading of the image; None where they may not, or where it needs none."""
    if not isinstance(user, User) or not user.has_perm(MAY_SIGN):
        return None
    current = current_readings(readings)
    taken = {part: reading.reader_id for part, reading in current.items()}
    for part, reader_id in taken.items():
        if reader_id == user.pk:
            return part
    blind = blind_part(user, taken)
    if blind is None and _is_disputed(current) and user.has_perm(MAY_SEE_EVERY_STUDY):
        return Part.ARBITER
    return blind


def agreement_of(finding: str, result: Result | None) -> str:
    """How a finding stands to an answer. The model is asked for pneumonia alone, so another finding is no pneumonia."""
    if result is None:
        return ""
    if result.indeterminate or finding == Finding.CANNOT_TELL:
        return Agreement.CANNOT_TELL
    is_same = (finding == Finding.PNEUMONIA) == (result.label == Label.PNEUMONIA)
    return Agreement.AGREE if is_same else Agreement.DISAGREE


def _is_disputed(current: Mapping[Part, Reading]) -> bool:
    if Part.ARBITER in current or not {Part.FIRST, Part.SECOND} <= set(current):
        return False
    return current[Part.FIRST].finding != current[Part.SECOND].finding


def _earlier(reading: Reading, readings: Iterable[Reading]) -> list[Reading]:
    by_id = {other.pk: other for other in readings}
    earlier: list[Reading] = []
    while reading.replaces_id:
        reading = by_id[reading.replaces_id]
        earlier.append(reading)
    return earlier
