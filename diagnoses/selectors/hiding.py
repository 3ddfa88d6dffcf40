"""Answers that a user may not see yet: those who read first see the model's only beside their own signed reading.

Whoever shows jobs to a user passes them through `cover` or `covered`; `Job.is_hidden` then says of which the answer
(label, probability, warnings, heatmap) is to be left out. Without it nothing is hidden.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q

from diagnoses.models import Job, Profile, Reading
from diagnoses.models.reading import Part
from diagnoses.roles import MAY_SIGN
from diagnoses.selectors.viewers import Viewer
from diagnoses.states import JobStatus

_CHUNK = 500
ALWAYS = "always"


def reads_first(user: Viewer) -> bool:
    """Whether answers stay hidden from the user until they have signed: by their own choice, or the site's."""
    if settings.CXR_FIRST_READ != ALWAYS and not Profile.objects.filter(user=user.pk, reads_first=True).exists():
        return False
    return isinstance(user, User) and user.has_perm(MAY_SIGN)


def who_reads_first(user_ids: Collection[int]) -> set[int]:
    """Those of the users who read first."""
    if settings.CXR_FIRST_READ == ALWAYS:
        return set(user_ids)
    return set(Profile.objects.filter(user__in=user_ids, reads_first=True).values_list("user_id", flat=True))


def hidden_images(user: Viewer, image_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the images whose answers are hidden from the user. Whose turn it is not sees all."""
    if not image_ids or not reads_first(user):
        return set()
    taken = _taken(image_ids)
    return {image_id for image_id in image_ids if blind_part(user, taken[image_id])}


def covered_readings(user: Viewer, image_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the images of which the user must not know yet what others signed.

    That would tell a hidden answer, and a second reader is not to know what the first one said.
    """
    hidden = hidden_images(user, image_ids)
    if not settings.CXR_SECOND_READER or not isinstance(user, User) or not user.has_perm(MAY_SIGN):
        return hidden
    taken = _taken(image_ids)
    return hidden | {image_id for image_id in image_ids if blind_part(user, taken[image_id]) is Part.SECOND}


def _taken(image_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[Part, int]]:
    """Who reads each of the images in which part."""
    taken: dict[uuid.UUID, dict[Part, int]] = defaultdict(dict)
    begun = Reading.objects.filter(image__in=image_ids, replaces=None).order_by()
    for image_id, part, reader_id in begun.values_list("image_id", "part", "reader_id"):
        taken[image_id][Part(part)] = reader_id
    return taken


def is_hidden(user: Viewer, image_id: uuid.UUID) -> bool:
    """Whether the answers to this image are hidden from the user."""
    return bool(hidden_images(user, [image_id]))


def cover(user: Viewer, jobs: Collection[Job]) -> None:
    """Mark those of the jobs whose answer is hidden from the user."""
    done = [job for job in jobs if job.status == JobStatus.DONE]
    hidden = hidden_images(user, {job.image_id for job in done})
    for job in done:
        job.is_hidden = job.image_id in hidden


def covered(user: Viewer, jobs: Iterable[Job]) -> Iterator[Job]:
    """The same for many, without holding them in memory."""
    jobs = iter(jobs)
    while chunk := list(islice(jobs, _CHUNK)):
        cover(user, chunk)
        yield from chunk


def was_unseen(user: User, answered: Job) -> bool:
    """Whether an answer is hidden from the user, and has been ever since it was given.

    Who only lately chose to read first may have seen it before.
    """
    if not is_hidden(user, answered.image_id):
        return False
    given_at = answered.result.created_at
    return (
        settings.CXR_FIRST_READ == ALWAYS or Profile.objects.filter(user=user, reads_first_since__lte=given_at).exists()
    )


def blind_part(user: Viewer, taken: Mapping[Part, int]) -> Part | None:
    """The part in which the user has still to read an image uninfluenced; `taken` says who reads in which part."""
    if user.pk in taken.values():
        return None
    if Part.FIRST not in taken:
        return Part.FIRST
    return Part.SECOND if settings.CXR_SECOND_READER and Part.SECOND not in taken else None


def may_know_readings(user: Viewer, to_image: str = "") -> Q:
    """The condition of `covered_readings` on rows: of these images the user may know what others signed."""
    if not settings.CXR_SECOND_READER or not isinstance(user, User) or not user.has_perm(MAY_SIGN):
        return Q()  # where one reads alone, there is nothing signed yet of what is hidden
    return ~blind_images(user, to_image)


def blind_images(user: Viewer, to_image: str = "") -> Q:
    """The condition of `blind_part` on rows; `to_image` is the way to the image's key."""
    begun = Reading.objects.filter(image=OuterRef(f"{to_image}pk"), replaces=None)
    free = ~Q(Exists(begun.filter(part=Part.FIRST)))
    if settings.CXR_SECOND_READER:
        free |= ~Q(Exists(begun.filter(part=Part.SECOND)))
    return ~Q(Exists(begun.filter(reader_id=user.pk))) & free
