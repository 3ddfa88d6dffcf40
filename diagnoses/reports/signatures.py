"""What clinicians have signed of images, as a report says it."""

import uuid
from collections.abc import Collection, Sequence
from itertools import groupby

from diagnoses.models import Reading
from diagnoses.models.reading import Part
from diagnoses.reports.answers import coded
from diagnoses.reports.contents import SignedReading

Signed = dict[uuid.UUID, list[SignedReading]]

_WEIGHT = {Part.ARBITER.value: 0, Part.FIRST.value: 1, Part.SECOND.value: 2}


def signed_readings(image_ids: Collection[uuid.UUID]) -> Signed:
    """The readings that hold, of each image: the final one first. One that was replaced no longer holds."""
    rows = Reading.objects.filter(image_id__in=image_ids, replaced_by=None).order_by("image_id")
    return {image_id: _of_one_image(list(readings)) for image_id, readings in groupby(rows, lambda row: row.image_id)}


def _of_one_image(rows: Sequence[Reading]) -> list[SignedReading]:
    """An arbiter's word is final; without one the first reader's is, unless the second one's differs."""
    ordered = sorted(rows, key=lambda row: _WEIGHT[row.part])
    settled = ordered[0].part == Part.ARBITER or len({row.finding for row in ordered}) == 1
    return [_signed(row, final=settled and row is ordered[0]) for row in ordered]


def _signed(row: Reading, *, final: bool) -> SignedReading:
    return SignedReading(
        final=final,
        revised=row.replaces_id is not None,
        part=coded(row.part, row.get_part_display()),
        finding=coded(row.finding, row.get_finding_display()),
        agreement=coded(row.agreement, row.get_agreement_display()) if row.agreement else None,
        text=row.text,
        reader=row.reader_name,
        signed_at=row.signed_at,
    )
