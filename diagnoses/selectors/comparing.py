"""Studies beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from django.db.models import QuerySet

from diagnoses.models import Result, Study
from diagnoses.selectors.studies import StudyImage, visible_to
from diagnoses.selectors.viewers import Viewer

_EARLIER = 5


def earlier_studies(user: Viewer, study: Study) -> QuerySet[Study]:
    """What the user may see of what was sent for the same patient before, the latest first; a few."""
    if study.subject.index is None:
        return Study.objects.none()
    before = visible_to(user).filter(subject=study.subject_id, created_at__lt=study.created_at)
    return before.order_by("-created_at", "-id")[:_EARLIER]


@dataclass(frozen=True)
class Pair:
    """The images that stand beside each other; one of them may be missing."""

    number: int
    one: StudyImage | None
    other: StudyImage | None

    @property
    def change(self) -> float | None:
        """By how much the other's probability is higher, -1 to 1; None where either has none."""
        one, other = self._results
        return other.probability - one.probability if one and other else None

    @property
    def is_comparable(self) -> bool:
        """Whether both answers come from the same version of a model: no other's probabilities mean the same."""
        one, other = self._results
        return not (one and other) or one.weights_sha256 == other.weights_sha256

    @property
    def _results(self) -> tuple[Result | None, Result | None]:
        return self.one.result if self.one else None, self.other.result if self.other else None


def pairs_of(one: Sequence[StudyImage], other: Sequence[StudyImage]) -> list[Pair]:
    """The images of two studies in the order sent, first beside first."""
    return [Pair(number, *both) for number, both in enumerate(zip_longest(one, other), 1)]
