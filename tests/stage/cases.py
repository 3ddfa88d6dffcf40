"""Made-up people and cases. `fill` runs within Django, against the database of a running site."""

import random
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from django.contrib.auth.models import Group, User
from django.utils import timezone

from diagnoses import storage
from diagnoses.imaging.errors import ImageFault
from diagnoses.models import Image, Job, ModelVersion, Reading, Result, Study
from diagnoses.models.job import Indeterminacy
from diagnoses.models.reading import Agreement, Finding
from diagnoses.models.registry import Standing
from diagnoses.roles import Role
from diagnoses.services.patients import patient_for
from diagnoses.states import JobStatus
from tests import pictures
from tests.stage.chests import HEIGHT, PLACES, WIDTH, Opacity, draw_chest, draw_heat
from tests.stage.screens import PASSWORD
from workers.inference.quality import words_of

CASES = 44
_DAYS = 60
_SPACING_MM = 0.2


class Kind(NamedTuple):
    """What becomes of a case, and how often of a hundred."""

    name: str
    weight: int


_KINDS = (Kind("normal", 50), Kind("pneumonia", 26), Kind("cannot-say", 14), Kind("refused", 8), Kind("failed", 2))


def fill() -> None:
    """A clinician, a radiologist and an administrator, and some weeks of the clinician's cases."""
    clinician = _person("stage-clinician", Role.CLINICIAN)
    radiologist = _person("stage-radiologist", Role.RADIOLOGIST)
    _person("stage-administrator", Role.ADMINISTRATOR)
    _person("stage-newcomer", Role.CLINICIAN)
    version = ModelVersion.objects.get(standing=Standing.LIVE)
    chance = random.Random(7)
    now = timezone.now()
    for number in range(CASES):
        # Some of today, the rest over the weeks; the last patients come again.
        ago = timedelta(minutes=9 * number + 3) if number < 12 else timedelta(days=_DAYS * (number - 11) / (CASES - 11))
        job = _case(clinician, version, number, now - ago, chance)
        if number >= 9 and job.status == JobStatus.DONE:
            _reading(job, clinician if chance.random() < 0.7 else radiologist, chance)


def _person(name: str, role: Role) -> User:
    user = User.objects.create_user(name, password=PASSWORD, is_staff=role is Role.ADMINISTRATOR)
    user.groups.add(Group.objects.get(name=role))
    return user


def _case(owner: User, version: ModelVersion, number: int, at: datetime, chance: random.Random) -> Job:
    kind = chance.choices(_KINDS, [kind.weight for kind in _KINDS])[0].name
    ill = kind in ("pneumonia", "cannot-say")
    opacity = chance.choice(PLACES) if ill else None
    born = date(at.year - chance.randint(1, 4), chance.randint(1, 12), chance.randint(1, 28))
    patient_id = f"BN-{1200 + number % 36}"
    study = Study.objects.create(
        submitted_by=owner,
        created_at=at,
        subject=patient_for(patient_id),
        patient_id=patient_id,
        patient_sex=chance.choice("MF"),
        patient_birth_date=born,
        accession_number=f"A{at:%y%m%d}-{number:02}",
        clinical_note=chance.choice(["Cough and fever for three days.", "Sốt, ho, thở nhanh.", "Follow-up.", ""]),
        urgent=number < 12 and number % 5 == 2,
    )
    job = _job(_image(study, number, opacity), version, kind, at, chance)
    if job.status == JobStatus.DONE:
        _result(job, kind, opacity, chance)
    return job


def _image(study: Study, number: int, opacity: Opacity | None) -> Image:
    data = pictures.dicom(draw_chest(number, opacity), PixelSpacing=[_SPACING_MM] * 2, PatientID=study.patient_id)
    name = storage.new_original_name()
    storage.write(name, data)
    return Image.objects.create(
        study=study,
        position=0,
        filename=f"chest-{number:03}.dcm",
        kind="dicom",
        byte_size=len(data),
        sha256=sha256(data).hexdigest(),
        width=WIDTH,
        height=HEIGHT,
        stored_name=name,
    )


def _job(image: Image, version: ModelVersion, kind: str, at: datetime, chance: random.Random) -> Job:
    status = {"refused": JobStatus.REFUSED, "failed": JobStatus.FAILED}.get(kind, JobStatus.DONE)
    fields: dict[str, str] = {}
    if status is JobStatus.REFUSED:
        fault = chance.choice([ImageFault.NOT_FRONTAL, ImageFault.TOO_LOW_QUALITY, ImageFault.CROPPED_OR_ROTATED])
        fields = {"error_code": fault, "error_message": words_of(fault)}
    if status is JobStatus.FAILED:
        fields = {"error_code": "internal_error", "error_message": "The reading failed on the server."}
    return Job.objects.create(
        image=image,
        model_version=version,
        status=status,
        token=1,
        attempts=1,
        worker_name="reader-1",
        urgent=image.study.urgent,
        created_at=at,
        ended_at=at + timedelta(seconds=chance.lognormvariate(0.6, 0.7)),
        **fields,
    )


def _result(job: Job, kind: str, opacity: Opacity | None, chance: random.Random) -> None:
    version = job.model_version
    low, high = version.band_low, version.band_high
    spans = {"normal": (0.004, low), "pneumonia": (high, 0.995), "cannot-say": (low, high)}
    probability = chance.uniform(*spans[kind])
    Result.objects.create(
        job=job,
        created_at=job.ended_at or job.created_at,
        label="PNEUMONIA" if probability >= version.threshold else "NORMAL",
        score=2.5,
        probability=probability,
        indeterminate_reason=Indeterminacy.BAND if kind == "cannot-say" else "",
        threshold=version.threshold,
        band_low=low,
        band_high=high,
        temperature=version.temperature,
        weights_sha256=version.weights_sha256,
        image_sha256=job.image.sha256,
        preprocessing_version=version.preprocessing_version,
        engine="openvino",
        heatmap=draw_heat(opacity),
        heatmap_peak=3.0 if opacity else 0.0,
        timings_ms={"decode": 12.0, "engine": 8.0},
    )


def _reading(job: Job, reader: User, chance: random.Random) -> None:
    label = job.result.label
    other = Finding.NORMAL if label == Finding.PNEUMONIA else Finding.PNEUMONIA
    finding = Finding(chance.choices([label, other, Finding.CANNOT_TELL], [82, 13, 5])[0])
    agreement = Agreement.CANNOT_TELL if finding == Finding.CANNOT_TELL else Agreement.DISAGREE
    Reading.objects.create(
        image=job.image,
        job=job,
        reader=reader,
        reader_name=reader.get_username(),
        finding=finding,
        agreement=Agreement.AGREE if finding == label else agreement,
        text="" if finding == label else "Seen on the film, compared with the last one.",
        answer_shown=chance.random() < 0.5,
        signed_at=job.created_at + timedelta(minutes=chance.randint(4, 90)),
    )
