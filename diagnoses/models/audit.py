"""Who did and saw what."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class AuditAction(models.TextChoices):
    """What is put on record."""

    SIGN_IN = "sign_in", _("Signed in")
    SIGN_IN_FAILED = "sign_in_failed", _("Sign-in failed")
    SIGN_IN_LOCKED = "sign_in_locked", _("Sign-in locked for a while")
    SIGN_OUT = "sign_out", _("Signed out")
    SESSION_ENDED = "session_ended", _("Session ended")
    SECOND_FACTOR_FAILED = "second_factor_failed", _("Second factor failed")
    FACTOR_ADDED = "factor_added", _("Second factor added")
    FACTOR_REMOVED = "factor_removed", _("Second factor removed")
    PASSWORD_CHANGED = "password_changed", _("Password changed")
    ACCOUNT_INVITED = "account_invited", _("Account invited")
    ACCOUNT_DEACTIVATED = "account_deactivated", _("Account deactivated")
    ACCOUNT_REACTIVATED = "account_reactivated", _("Account reactivated")
    PERMISSIONS_CHANGED = "permissions_changed", _("Permissions changed")
    ACCESS_DENIED = "access_denied", _("Access denied")
    REQUEST_FAILED = "request_failed", _("Request failed")
    GLASS_BROKEN = "glass_broken", _("Emergency access taken")
    GLASS_MENDED = "glass_mended", _("Emergency access ended")
    STUDY_SUBMITTED = "study_submitted", _("Study submitted")
    UPLOAD_REFUSED = "upload_refused", _("Upload refused")
    STUDY_VIEWED = "study_viewed", _("Study viewed")
    PICTURE_VIEWED = "picture_viewed", _("Picture viewed")
    HEATMAP_VIEWED = "heatmap_viewed", _("Heatmap viewed")
    WORKLIST_VIEWED = "worklist_viewed", _("Worklist viewed")
    URGENCY_CHANGED = "urgency_changed", _("Urgency changed")
    HISTORY_VIEWED = "history_viewed", _("History viewed")
    HISTORY_EXPORTED = "history_exported", _("History exported")
    RESULT_RECORDED = "result_recorded", _("Reading ended")
    JOB_RETRIED = "job_retried", _("Job retried")
    REFUSAL_OVERRIDDEN = "refusal_overridden", _("Refusal overridden")
    READING_REQUESTED = "reading_requested", _("Reading with another model requested")
    READING_SIGNED = "reading_signed", _("Reading signed by a clinician")
    ANSWER_UNCOVERED = "answer_uncovered", _("Hidden answer shown")
    REPORT_VIEWED = "report_viewed", _("Report viewed")
    EXPORT_REQUESTED = "export_requested", _("Export requested")
    EXPORT_CANCELLED = "export_cancelled", _("Export cancelled")
    EXPORT_FETCHED = "export_fetched", _("Export fetched")
    FIGURES_VIEWED = "figures_viewed", _("Figures of the site viewed")
    AI_PAUSED = "ai_paused", _("AI paused")
    AI_RESUMED = "ai_resumed", _("AI went on")
    MODEL_PROMOTED = "model_promoted", _("Model made the default")
    MODEL_ROLLED_BACK = "model_rolled_back", _("Model rolled back")
    MODEL_SUCCEEDED = "model_succeeded", _("Model took over")
    SHADOW_STARTED = "shadow_started", _("Shadow started")
    SHADOW_STOPPED = "shadow_stopped", _("Shadow stopped")
    TOKEN_CREATED = "token_created", _("API token created")
    TOKEN_REVOKED = "token_revoked", _("API token revoked")
    AUDIT_VIEWED = "audit_viewed", _("Audit viewed")
    AUDIT_EXPORTED = "audit_exported", _("Audit exported")
    AUDIT_VERIFIED = "audit_verified", _("Audit verified")
    AUDIT_ARCHIVED = "audit_archived", _("Audit archived")
    PATIENT_ERASED = "patient_erased", _("Patient erased")
    STUDIES_PURGED = "studies_purged", _("Studies purged")
    KEYS_ROTATED = "keys_rotated", _("Keys rotated")
    BACKUP_MADE = "backup_made", _("Backup made")
    BACKUP_RESTORED = "backup_restored", _("Backup restored")
    ROW_ADDED = "row_added", _("Added in the admin")
    ROW_CHANGED = "row_changed", _("Changed in the admin")
    ROW_DELETED = "row_deleted", _("Deleted in the admin")


class ActionCode(models.TextChoices):
    """What was done to the object, in DICOM's letters."""

    CREATE = "C", pgettext_lazy("audit action", "Create")
    READ = "R", pgettext_lazy("audit action", "Read")
    UPDATE = "U", pgettext_lazy("audit action", "Update")
    DELETE = "D", pgettext_lazy("audit action", "Delete")
    EXECUTE = "E", pgettext_lazy("audit action", "Execute")


class Outcome(models.IntegerChoices):
    """How it went, in DICOM's numbers."""

    SUCCESS = 0, _("Success")
    MINOR_FAILURE = 4, _("Minor failure")
    SERIOUS_FAILURE = 8, _("Serious failure")
    MAJOR_FAILURE = 12, _("Major failure")


class AuditEvent(models.Model):
    """One line of the record, in the terms of DICOM PS3.15 A.5. The database refuses to change or remove it.

    The actor is kept as text, as it was then: no later change to the account rewrites the past. The table has a
    partition for each month, and a link in the chain for each row (`AuditLink`).
    """

    at = models.DateTimeField(db_default=Now(), editable=False)
    action = models.CharField(max_length=24, choices=AuditAction)
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField(max_length=150, blank=True)
    actor_roles = models.CharField(max_length=200, blank=True)
    address = models.CharField("from", max_length=64, blank=True)
    object_type = models.CharField(max_length=64, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    event = models.CharField(max_length=6, blank=True, db_default="", help_text="Its kind, by DICOM's code.")
    action_code = models.CharField(max_length=1, choices=ActionCode, blank=True, db_default="")
    outcome = models.PositiveSmallIntegerField(choices=Outcome, default=Outcome.SUCCESS, db_default=Outcome.SUCCESS)
    patient = models.CharField(max_length=36, blank=True, db_default="", help_text="The pseudonym, and nothing else.")
    study = models.UUIDField(null=True, blank=True)
    model_version = models.CharField(max_length=120, blank=True, db_default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_type", "object_id"], name="audit_object"),
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["actor_name", "-id"], name="audit_actor"),
            models.Index(fields=["address", "-id"], name="audit_address"),
            models.Index(fields=["action", "-id"], name="audit_action"),
            models.Index(fields=["event", "-id"], name="audit_event"),
            models.Index(fields=["study", "-id"], name="audit_study", condition=~models.Q(study=None)),
            models.Index(fields=["patient", "-id"], name="audit_patient", condition=models.Q(patient__gt="")),
            models.Index(fields=["outcome", "-id"], name="audit_failed", condition=models.Q(outcome__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} ({self.actor_name})"


class AuditLink(models.Model):
    """A link of the chain: each holds its event, and through its hash all events before it.

    The scheduler has it appended within seconds. `digest` is the SHA-256 of the event's canonical text, made with it,
    `hash` that of the hash before, the link's and the event's number, the event's time and the digest.
    """

    seq = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField()
    at = models.DateTimeField()
    digest = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        ordering = ["seq"]

    def __str__(self) -> str:
        return f"{self.seq}: {bytes(self.hash).hex()}"


class AuditArchive(models.Model):
    """A month of the record that was written to a file and taken out of the database. Its links stay."""

    month = models.DateField(unique=True)
    archived_at = models.DateTimeField(db_default=Now(), editable=False)
    name = models.CharField(max_length=64)
    events = models.PositiveBigIntegerField()
    last_seq = models.BigIntegerField()
    last_hash = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    signature = models.CharField(max_length=64)

    class Meta:
        ordering = ["month"]

    def __str__(self) -> str:
        return self.name
