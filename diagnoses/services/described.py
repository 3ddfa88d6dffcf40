"""A study in an export, as JSON has it: what its page shows to the same user."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from diagnoses.models import Reading, Result, Study
from diagnoses.selectors.cases import HIDDEN_WORDS, Case


def described_study(study: Study) -> dict[str, Any]:
    """What is known of it beside its images."""
    return {
        "notice": _("An aid to reading, not a diagnosis. The clinician decides."),
        "study": str(study.pk),
        "sent_at": _moment(study.created_at),
        "patient_id": study.patient_id,
        "patient_sex": study.patient_sex,
        "patient_birth_date": study.patient_birth_date.isoformat() if study.patient_birth_date else "",
        "accession_number": study.accession_number,
        "clinical_note": study.clinical_note,
        "urgent": study.urgent,
    }


def described_image(cases: Sequence[Case], picture_file: str, heatmap_files: Sequence[str]) -> dict[str, Any]:
    """An image with its readings, newest first; each reading's heatmap has its place in `heatmap_files`."""
    image, signed = cases[0].job.image, cases[0].reading
    return {
        "image": str(image.pk),
        "filename": image.filename,
        "picture_file": picture_file,
        "readings": [_described(case, name) for case, name in zip(cases, heatmap_files, strict=True)],
        "signed": _signed(signed) if signed else None,
    }


def _described(case: Case, heatmap_file: str) -> dict[str, Any]:
    job = case.job
    said: dict[str, Any] = {
        "reading": str(job.pk),
        "asked_at": _moment(job.created_at),
        "model": job.model_version.name,
        "model_version": job.model_version.version,
        "status": job.status,
        "error": job.error_code,
        "error_message": job.error_words,
        "override": job.override_code,
        "override_by": job.override_by,
        "override_reason": job.override_reason,
        "heatmap_file": heatmap_file,
    }
    if case.hidden:
        return said | {"hidden": str(HIDDEN_WORDS)}
    return said | {"answer": _answer(case.result) if case.result else None}


def _answer(result: Result) -> dict[str, Any]:
    return {
        "label": result.label,
        "probability": result.probability,
        "indeterminate": result.indeterminate_reason,
        "threshold": result.threshold,
        "band": [result.band_low, result.band_high],
        "score": result.score,
        "warnings": result.warnings,
        "engine": result.engine,
    }


def _signed(reading: Reading) -> dict[str, Any]:
    return {
        "finding": reading.finding,
        "agreement": reading.agreement,
        "text": reading.text,
        "reader": reading.reader_name,
        "signed_at": _moment(reading.signed_at),
        "answer_shown": reading.answer_shown,
    }


def _moment(at: Any) -> str:
    return timezone.localtime(at).isoformat(timespec="seconds")
