"""The data, as PostgreSQL holds it. Rows are written by `diagnoses.services` alone."""

from diagnoses.models.audit import AuditEvent
from diagnoses.models.export import Export
from diagnoses.models.job import Job, JobTransition, Result
from diagnoses.models.patient import Patient
from diagnoses.models.people import Notification, Profile, SavedView
from diagnoses.models.reading import PauseChange, Reading
from diagnoses.models.registry import ModelChange, ModelVersion, Worker
from diagnoses.models.sign_in import FailedAttempts, Invitation
from diagnoses.models.study import Image, RejectedFile, Study

__all__ = [
    "AuditEvent",
    "Export",
    "FailedAttempts",
    "Image",
    "Invitation",
    "Job",
    "JobTransition",
    "ModelChange",
    "ModelVersion",
    "Notification",
    "Patient",
    "PauseChange",
    "Profile",
    "Reading",
    "RejectedFile",
    "Result",
    "SavedView",
    "Study",
    "Worker",
]
