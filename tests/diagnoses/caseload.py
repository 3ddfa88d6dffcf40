"""Cases of any day and any outcome, one by one or in hundreds."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from diagnoses.models import Image, Job, ModelVersion, Reading, Result, Study
from diagnoses.models.reading import Agreement, Finding
from diagnoses.states import JobStatus
from tests.diagnoses.factory import HEATMAP, make_job, make_study


def make_case(
    owner: User, version: ModelVersion, at: datetime, status: JobStatus = JobStatus.DONE, **fields: Any
) -> Job:
    """A case that was sent at `at`; one that has ended did so two seconds later."""
    if status in (JobStatus.DONE, JobStatus.REFUSED, JobStatus.FAILED):
        fields = {"ended_at": at + timedelta(seconds=2)} | fields
    study = make_study(owner, version)
    Study.objects.filter(pk=study.pk).update(created_at=at)
    job = make_job(study, version, status, created_at=at, **fields)
    job.refresh_from_db()
    return job


def make_answer(
    owner: User, version: ModelVersion, at: datetime, label: str = "PNEUMONIA", doubt: str = "", **fields: Any
) -> Job:
    """A case that was answered."""
    job = make_case(owner, version, at, **fields)
    Result.objects.filter(job=job).update(label=label, indeterminate_reason=doubt)
    job.refresh_from_db()
    return job


def make_answers(owner: User, version: ModelVersion, since: datetime, probabilities: Sequence[float]) -> None:
    """As many answered cases as there are probabilities, a second apart."""
    study = make_study(owner, version)
    facts = {"kind": "png", "byte_size": 1, "sha256": "0" * 64, "width": 1, "height": 1}
    images = Image.objects.bulk_create(
        Image(study=study, position=n, filename="chest.png", stored_name=str(uuid.uuid4()), **facts)
        for n in range(len(probabilities))
    )
    times = [since + timedelta(seconds=n) for n in range(len(images))]
    jobs = Job.objects.bulk_create(
        Job(image=image, model_version=version, status=JobStatus.DONE, created_at=at, ended_at=at, token=1)
        for image, at in zip(images, times, strict=True)
    )
    Result.objects.bulk_create(
        Result(
            job=job,
            label="PNEUMONIA" if probability >= 0.5 else "NORMAL",
            score=0,
            probability=probability,
            threshold=0.5,
            band_low=0.4,
            band_high=0.6,
            temperature=1,
            heatmap=HEATMAP,
            heatmap_peak=1,
            timings_ms={},
        )
        for job, probability in zip(jobs, probabilities, strict=True)
    )


def sign(job: Job, reader: User, agreement: Agreement, **fields: Any) -> Reading:
    """A reading that somebody signed beside the answer."""
    facts = {"finding": Finding.PNEUMONIA, "answer_shown": True, "reader_name": reader.get_username()}
    return Reading.objects.create(image=job.image, job=job, reader=reader, agreement=agreement, **facts | fields)
