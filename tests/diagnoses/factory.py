"""Rows for tests: studies whose jobs are in any state, with their files in storage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now

from diagnoses import sealing, storage
from diagnoses.imaging import heatmap
from diagnoses.models import AuditEvent, Export, Image, Job, ModelVersion, Reading, Result, Study
from diagnoses.models.audit import AuditAction
from diagnoses.models.export import ExportStatus
from diagnoses.models.registry import Standing
from diagnoses.services.jobs import Claim, Outcome
from diagnoses.services.patients import patient_for
from diagnoses.services.receiving import SentFile
from diagnoses.services.registry import register_model_version
from diagnoses.states import ENDED, JobStatus
from diagnoses.storage import sealed
from tests import pictures

WIDTH, HEIGHT = 160, 120
PICTURE = pictures.png(pictures.phantom(WIDTH, HEIGHT))
PICTURE_SHA256 = sha256(PICTURE).hexdigest()

HOT_ROW, HOT_COLUMN = 1, 5
_attention = np.zeros((7, 7), np.float32)
_attention[HOT_ROW, HOT_COLUMN] = 3.0
HEATMAP = heatmap.encode(_attention, 0.1)
"""A map that is cold but for one cell."""


def make_study(owner: User, model_version: ModelVersion, *statuses: JobStatus, **details: Any) -> Study:
    """A study of `owner` with one job in each of `statuses`, in this order."""
    study = Study.objects.create(submitted_by=owner, subject=patient_for(details.get("patient_id", "")), **details)
    for status in statuses:
        make_job(study, model_version, status)
    return study


def make_job(
    study: Study,
    model_version: ModelVersion,
    status: JobStatus = JobStatus.QUEUED,
    *,
    filename: str = "",
    data: bytes = PICTURE,
    **fields: Any,
) -> Job:
    """A job on a picture of its own. A done one has its result, a refused or failed one its words."""
    stored_name = storage.new_original_name()
    storage.write(stored_name, data)
    position = study.images.count()
    image = Image.objects.create(
        study=study,
        position=position,
        filename=filename or f"chest-{position}.png",
        kind="png",
        byte_size=len(data),
        sha256=sha256(data).hexdigest(),
        width=WIDTH,
        height=HEIGHT,
        stored_name=stored_name,
    )
    return make_job_of(image, model_version, status, **fields)


def make_job_of(image: Image, model_version: ModelVersion, status: JobStatus = JobStatus.QUEUED, **fields: Any) -> Job:
    """One more job on a picture that is there already: a shadow's, or one that was asked for later."""
    job = Job.objects.create(image=image, model_version=model_version, status=status, **_fields_of(status) | fields)
    job.refresh_from_db()
    if status is JobStatus.DONE:
        make_result(job)
    return job


def make_export(owner: User, data: bytes = b"packed", **fields: Any) -> Export:
    """An export that is ready, with its file in storage."""
    name, key = storage.new_export_name(), sealing.new_key()
    with sealed.writing(name, key) as file:
        file.write(data)
    said = {"status": ExportStatus.DONE, "stored_name": name, "byte_size": len(data), "total": 1, "ended_at": Now()}
    export = Export(user=owner, **said | fields)
    export.seal_key(key)
    export.save()
    return export


def make_reading(
    image: Image, reader: User, finding: str = "PNEUMONIA", agreement: str = "agree", **fields: Any
) -> Reading:
    """What a clinician signed of an image."""
    said = {"reader_name": reader.username, "finding": finding, "agreement": agreement, "answer_shown": True}
    return Reading.objects.create(image=image, reader=reader, **said | fields)


def make_result(job: Job, *, probability: float = 0.9312, label: str = "PNEUMONIA", **fields: Any) -> Result:
    return Result.objects.create(
        job=job,
        label=label,
        score=2.5,
        probability=probability,
        threshold=job.model_version.threshold,
        band_low=job.model_version.band_low,
        band_high=job.model_version.band_high,
        temperature=job.model_version.temperature,
        weights_sha256=job.model_version.weights_sha256,
        image_sha256=job.image.sha256,
        preprocessing_version=job.model_version.preprocessing_version,
        engine="openvino",
        heatmap=HEATMAP,
        heatmap_peak=3.0,
        timings_ms={"decode": 1.5, "engine": 7.25},
        **fields,
    )


def make_card(name: str = "mobilenet_v2", version: str = "2.0.0", **fields: Any) -> dict[str, Any]:
    """A card as it is shipped, with made-up facts and figures."""
    shares = ("accuracy", "auc", "sensitivity", "specificity", "ece", "specificity_at_98_sensitivity")
    bands = ("band_coverage", "accuracy_outside_band", "accuracy_inside_band")
    figures = {figure: {"value": 0.95, "low": 0.93, "high": 0.97} for figure in (*shares, *bands)}
    counts = {"images": 100, "pneumonia": 70, "patients": 60}
    card = {
        "name": name,
        "version": version,
        "architecture": "mobilenet_v2",
        "input_size": 224,
        "classes": ["normal", "bacterial", "viral"],
        "preprocessing_version": "area-stretch-1",
        "threshold": 0.5,
        "temperature": 1.0,
        "band": {"low": 0.4, "high": 0.6},
        "unsteady": {"low": 0.2, "high": 0.8},
        "mirrored": True,
        "gate": {"accepted_probability": 0.5, "distance": 40.0},
        "heatmap": {"floor": 0.1, "border_share": 0.8},
        "training": {
            "data": "Made-up radiographs.",
            "population": "Children aged 1 to 5.",
            "licence": "CC BY 4.0",
            "recipe": {"epochs": 9},
            "split": {"seed": 7, "train": counts, "validation": counts, "holdout": counts},
        },
        "figures": {"validation": figures, "holdout": figures},
        "intended_use": "To be tested with.",
        "limits": ["It was never trained."],
        "weights_sha256": sha256(f"{name} {version}".encode()).hexdigest(),
        "files": {},
    }
    return card | fields


def make_model_version(
    name: str = "mobilenet_v2",
    version: str = "2.0.0",
    *,
    standing: Standing = Standing.CANDIDATE,
    available: bool = True,
    **fields: Any,
) -> ModelVersion:
    """A registered model that no file backs, in the standing that it is given."""
    model_version = register_model_version(card=make_card(name, version, **fields))
    model_version.standing, model_version.available = standing, available
    model_version.save()
    return model_version


def outcome(**fields: Any) -> Outcome:
    """What a reader says of one image."""
    said: dict[str, Any] = {
        "label": "PNEUMONIA",
        "score": 2.5,
        "probability": 0.9312,
        "indeterminate_reason": "",
        "warnings": (),
        "image_sha256": PICTURE_SHA256,
        "engine": "openvino",
        "heatmap": HEATMAP,
        "heatmap_peak": 3.0,
        "timings_ms": {"decode": 1.5, "engine": 7.25},
    }
    return Outcome(**said | fields)


def claim_of(job: Job) -> Claim:
    """The claim that a running job is held by."""
    return Claim(
        job.pk,
        job.token,
        job.worker_name,
        job.image.sha256,
        job.image.stored_name,
        job.model_version_id,
        None,
        bool(job.override_code),
        job.urgent,
        job.attempts > 1,
        job.image.file_key,
    )


def sent(name: str = "chest.png", data: bytes = PICTURE) -> SentFile:
    """A file as it arrives."""
    return SentFile(name, len(data), lambda: data)


def unreadable(error: BaseException, name: str = "chest.png") -> SentFile:
    """A file whose bytes do not come."""

    def read() -> bytes:
        raise error

    return SentFile(name, 1, read)


def stored_files() -> list[Path]:
    """All that lies in storage, finished or not."""
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def last_event(action: AuditAction) -> AuditEvent:
    return AuditEvent.objects.filter(action=action).latest("id")


def row(job: Job) -> dict[str, Any]:
    """A job, column by column, as the database has it now."""
    return dict(Job.objects.filter(pk=job.pk).values().get())


def queries_of(act: Callable[[], Any]) -> list[str]:
    """The SQL that `act` sends, but for the look for a pause, which each process remembers for a second."""
    sent_sql: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "diagnoses_pausechange" not in sql or "diagnoses_job" in sql:
            sent_sql.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        act()
    return sent_sql


@contextmanager
def broken_audit() -> Iterator[None]:
    """The database takes no audit event, as when its disk is full. What happens meanwhile is undone at the end."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TRIGGER broken BEFORE INSERT ON diagnoses_auditevent "
                "FOR EACH ROW EXECUTE FUNCTION diagnoses_refuse_change()"
            )
        yield
        transaction.set_rollback(True)


def _fields_of(status: JobStatus) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if status is not JobStatus.QUEUED:
        fields |= {"token": 1, "attempts": 1, "worker_name": "reader-1"}
    if status is JobStatus.RUNNING:
        fields["lease_until"] = Now() + timedelta(seconds=30)
    if status in ENDED:
        fields["ended_at"] = Now()
    if status is JobStatus.REFUSED:
        fields |= {"error_code": "damaged", "error_message": "The picture is damaged. Export it again."}
    if status is JobStatus.FAILED:
        fields |= {"error_code": "internal_error", "error_message": "The reading failed on the server."}
    return fields
