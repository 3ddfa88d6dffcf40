"""Looking for words and patients in the history: one by one where matches are near, by an index where they are rare.

Which of the two is right depends on how common a word is, so the nearest readings are asked first, a fixed number of
them: a page's worth of a common word is among these, and one that is not among them is rare enough for an index.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Func, Q, QuerySet, Value
from django.db.models.functions import Upper

from diagnoses.models import Image, Job, Study
from diagnoses.selectors.ranges import HistoryFilter, Position, newest
from diagnoses.selectors.sight import sees_every_study, sight_of
from diagnoses.selectors.studies import listed_for
from diagnoses.selectors.viewers import Viewer

_LOOKED_THROUGH = 10_000
_BORDER = "\x1f"
"""What stands between the texts that a reading's words are made of."""
_FEW_STUDIES = 100
_OF_STUDY = ("patient_id", "accession_number", "clinical_note")


def asked_for(wanted: HistoryFilter) -> bool:
    """Whether there is anything to look for here."""
    return bool(wanted.search or wanted.patient_id)


def condition_of(wanted: HistoryFilter, to_image: str = "") -> Q:
    """What an image has to be; `to_image` is the way to it."""
    condition = Q()
    if wanted.patient_id:
        condition &= Q(**{f"{to_image}study__patient_id": wanted.patient_id})
    if wanted.search:
        condition &= Q(**{f"{to_image}filename__icontains": wanted.search}) | _in_study(
            wanted.search, f"{to_image}study__"
        )
    return condition


def look_through(
    user: Viewer, wanted: HistoryFilter, ranges: Sequence[QuerySet[Job]], count: int
) -> list[Position] | None:
    """The first `count` places that match, found among the nearest readings; None where these do not hold so many.

    Where there are no further readings, what was found is all there is.
    """
    if _BORDER in wanted.search or (wanted.patient_id and _has_few_studies(user, wanted.patient_id)):
        return None
    end = newest(ranges, 1, skipped=_LOOKED_THROUGH)
    near = [jobs.filter(created_at__gt=end[0][0]) for jobs in ranges] if end else ranges
    found = newest([jobs.filter(in_words(wanted)) for jobs in near], count)
    return found if len(found) == count or not end else None


def look_up(user: Viewer, wanted: HistoryFilter, ranges: Sequence[QuerySet[Job]]) -> list[QuerySet[Job]]:
    """The ranges narrowed to what matches, by the indexes of words and patients."""
    images = ArraySubquery(_images_by_index(user, wanted))
    return [jobs.filter(_IsOneOf("image", images)) for jobs in ranges]


class _IsOneOf(Func):
    """Whether the first is in the second, an array. Unlike a join it is always answered by the first one's index."""

    arg_joiner = " = ANY ("
    template = "%(expressions)s)"
    output_field = BooleanField()


def in_words(wanted: HistoryFilter) -> Q:
    """The same of a reading's own copy of the words, within whose borders a patient's identity stands alone."""
    patient = Q(image__study__patient_id=wanted.patient_id) if wanted.patient_id else Q()
    return patient & Q(words__contains=Upper(Value(wanted.search)))


def _images_by_index(user: Viewer, wanted: HistoryFilter) -> Any:
    studies = listed_for(user).order_by()
    if wanted.patient_id:
        of_patient = Image.objects.filter(condition_of(wanted), study__in=_of_patient(user, wanted.patient_id))
        return of_patient.order_by().values("pk")
    images = Image.objects.order_by().values("pk")
    by_study = images.filter(study__in=studies.filter(_in_study(wanted.search)))
    # One condition over both tables could be served by neither one's index.
    return images.filter(filename__icontains=wanted.search).union(by_study)


def _in_study(text: str, to_study: str = "") -> Q:
    condition = Q()
    for field in _OF_STUDY:
        condition |= Q(**{f"{to_study}{field}__icontains": text})
    return condition


def _has_few_studies(user: Viewer, patient_id: str) -> bool:
    return _of_patient(user, patient_id)[: _FEW_STUDIES + 1].count() <= _FEW_STUDIES


def _of_patient(user: Viewer, patient_id: str) -> QuerySet[Study]:
    studies = listed_for(user).filter(patient_id=patient_id).order_by()
    # The index of patients begins with the owner. Where others' are in sight, too, that of words leads to them.
    sees_others = sees_every_study(user) or sight_of(user).department_id is not None
    return studies.filter(patient_id__icontains=patient_id) if sees_others else studies
