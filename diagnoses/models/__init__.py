"""The data, as PostgreSQL holds it. Rows are written by `diagnoses.services` alone."""

from diagnoses.models.audit import AuditEvent
from diagnoses.models.job import Job, JobTransition, Result
from diagnoses.models.registry import ModelChange, ModelVersion, Worker
from diagnoses.models.study import Image, RejectedFile, Study

__all__ = [
    "AuditEvent",
    "Image",
    "Job",
    "JobTransition",
    "ModelChange",
    "ModelVersion",
    "RejectedFile",
    "Result",
    "Study",
    "Worker",
]
