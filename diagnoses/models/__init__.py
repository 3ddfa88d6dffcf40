"""The data, as PostgreSQL holds it. Rows are written by `diagnoses.services` alone."""

from diagnoses.models.allowance import UploadCount
from diagnoses.models.audit import AuditArchive, AuditEvent, AuditLink
from diagnoses.models.department import Department
from diagnoses.models.emergency import EmergencyAccess
from diagnoses.models.export import Export
from diagnoses.models.job import Job, JobTransition, Result
from diagnoses.models.patient import Patient
from diagnoses.models.people import Notification, Profile, SavedView
from diagnoses.models.reading import PauseChange, Reading
from diagnoses.models.registry import ModelChange, ModelVersion, Worker
from diagnoses.models.sign_in import FailedAttempts, Invitation
from diagnoses.models.study import Image, RejectedFile, Study
from diagnoses.models.token import ApiToken

__all__ = [
    "ApiToken",
    "AuditArchive",
    "AuditEvent",
    "AuditLink",
    "Department",
    "EmergencyAccess",
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
    "UploadCount",
    "Worker",
]
