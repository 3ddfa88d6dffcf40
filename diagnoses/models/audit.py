"""Who did and saw what."""

from django.db import models
from django.db.models.functions import Now


class AuditAction(models.TextChoices):
    """What is put on record."""

    SIGN_IN = "sign_in", "Signed in"
    SIGN_IN_FAILED = "sign_in_failed", "Sign-in failed"
    SIGN_OUT = "sign_out", "Signed out"
    STUDY_SUBMITTED = "study_submitted", "Study submitted"
    UPLOAD_REFUSED = "upload_refused", "Upload refused"
    STUDY_VIEWED = "study_viewed", "Study viewed"
    PICTURE_VIEWED = "picture_viewed", "Picture viewed"
    HEATMAP_VIEWED = "heatmap_viewed", "Heatmap viewed"
    WORKLIST_VIEWED = "worklist_viewed", "Worklist viewed"
    URGENCY_CHANGED = "urgency_changed", "Urgency changed"
    HISTORY_VIEWED = "history_viewed", "History viewed"
    HISTORY_EXPORTED = "history_exported", "History exported"
    RESULT_RECORDED = "result_recorded", "Reading ended"
    JOB_RETRIED = "job_retried", "Job retried"
    REFUSAL_OVERRIDDEN = "refusal_overridden", "Refusal overridden"
    READING_REQUESTED = "reading_requested", "Reading with another model requested"
    READING_SIGNED = "reading_signed", "Reading signed by a clinician"
    ANSWER_UNCOVERED = "answer_uncovered", "Hidden answer shown"
    REPORT_VIEWED = "report_viewed", "Report viewed"
    EXPORT_REQUESTED = "export_requested", "Export requested"
    EXPORT_FETCHED = "export_fetched", "Export fetched"
    FIGURES_VIEWED = "figures_viewed", "Figures of the site viewed"
    AI_PAUSED = "ai_paused", "AI paused"
    AI_RESUMED = "ai_resumed", "AI went on"
    MODEL_PROMOTED = "model_promoted", "Model made the default"
    MODEL_ROLLED_BACK = "model_rolled_back", "Model rolled back"
    MODEL_SUCCEEDED = "model_succeeded", "Model took over"
    SHADOW_STARTED = "shadow_started", "Shadow started"
    SHADOW_STOPPED = "shadow_stopped", "Shadow stopped"
    TOKEN_CREATED = "token_created", "API token created"
    ROW_ADDED = "row_added", "Added in the admin"
    ROW_CHANGED = "row_changed", "Changed in the admin"
    ROW_DELETED = "row_deleted", "Deleted in the admin"


class AuditEvent(models.Model):
    """One line of the record. The database refuses to change or remove it.

    The actor is kept as text, as it was then: no later change to the account rewrites the past.
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

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_type", "object_id"], name="audit_object"),
            models.Index(fields=["actor_name", "-at"], name="audit_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name or 'nobody'}"
