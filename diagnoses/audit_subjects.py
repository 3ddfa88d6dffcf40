"""What an event is about: its object, and the study, the patient and the model that the object belongs to."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Model
from django.db.models.fields.related import ForeignKey

from diagnoses.models import Image, Job, ModelVersion, Reading, RejectedFile, Result, Study


@dataclass(frozen=True)
class Subject:
    """What is put on record of an event's object."""

    object_type: str = ""
    object_id: str = ""
    patient: str = ""
    study: uuid.UUID | None = None
    model_version: str = ""


NOBODY = Subject()

_TO_STUDY: Mapping[type[Model], tuple[str, ...]] = {
    Study: (),
    Image: ("study",),
    RejectedFile: ("study",),
    Job: ("image", "study"),
    Reading: ("image", "study"),
    Result: ("job", "image", "study"),
}
"""By which relations each leads to its study."""
_TO_MODEL: Mapping[type[Model], tuple[str, ...]] = {
    ModelVersion: (),
    Job: ("model_version",),
    Result: ("job", "model_version"),
}


def subjects_of(targets: Sequence[Model]) -> list[Subject]:
    """One for each, in their order. What is loaded costs nothing; for the rest each kind costs one query."""
    missing: dict[type[Model], set[Any]] = {}
    for target in targets:
        if type(target) in _TO_STUDY and not _is_loaded(target):
            missing.setdefault(type(target), set()).add(target.pk)
    fetched = {(kind, pk): found for kind, pks in missing.items() for pk, found in _fetched(kind, pks)}
    return [_named(target, fetched.get((type(target), target.pk)) or _loaded(target)) for target in targets]


def _named(target: Model, subject: Subject) -> Subject:
    return replace(subject, object_type=target._meta.model_name or "", object_id=str(target.pk))


def _is_loaded(target: Model) -> bool:
    is_a_row = not target._state.adding  # else it was made of its key alone, and knows nothing of its patient
    return is_a_row and all(_walk(target, paths.get(type(target), ())) is not None for paths in (_TO_STUDY, _TO_MODEL))


def _walk(row: Model, path: Iterable[str]) -> Model | None:
    """What lies at the end of the path, or None where that is not in memory."""
    for name in path:
        field = row._meta.get_field(name)
        assert isinstance(field, ForeignKey)  # noqa: S101 - for the type checker; the paths are ours
        if not field.is_cached(row):
            return None
        row = getattr(row, name)
    return row


def _loaded(target: Model) -> Subject:
    study = _walk(target, _TO_STUDY[type(target)]) if type(target) in _TO_STUDY else None
    model = _walk(target, _TO_MODEL[type(target)]) if type(target) in _TO_MODEL else None
    return Subject(
        patient=_text(study.subject_id) if isinstance(study, Study) else "",
        study=study.pk if study else None,
        model_version=str(model) if model else "",
    )


def _fetched(kind: type[Model], pks: set[Any]) -> Iterable[tuple[Any, Subject]]:
    to_study, to_model = _TO_STUDY[kind], _TO_MODEL.get(kind)
    columns = ["__".join([*to_study, "pk"]), "__".join([*to_study, "subject"])]
    if to_model:
        columns += ["__".join([*to_model, name]) for name in ("name", "version")]
    for pk, study, patient, *model in kind._default_manager.filter(pk__in=pks).values_list("pk", *columns):
        yield pk, Subject(patient=_text(patient), study=study, model_version=" ".join(model))


def _text(pseudonym: uuid.UUID | None) -> str:
    return str(pseudonym) if pseudonym else ""
