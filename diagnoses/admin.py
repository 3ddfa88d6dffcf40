"""The administrator's panel: users, what came in, what became of it, and the audit. Django's own admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy

from diagnoses import audit
from diagnoses.models import AuditEvent, Image, Job, JobTransition, ModelVersion, RejectedFile, Study, Worker
from diagnoses.models.audit import AuditAction
from diagnoses.services.jobs import retry_job

admin.site.site_header = "Chest X-ray reader: administration"
admin.site.site_title = "Chest X-ray reader"
admin.site.index_title = "Users, studies, jobs and the audit"


class _Audited(admin.ModelAdmin):  # type: ignore[type-arg]
    """Puts every change that is made here on record, beside Django's own log."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        audit.record(AuditAction.ROW_ADDED, audit.actor_of(request), obj, changes=message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        audit.record(AuditAction.ROW_CHANGED, audit.actor_of(request), obj, changes=message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            audit.record(AuditAction.ROW_DELETED, audit.actor_of(request), row)
        return super().log_deletions(request, queryset)


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only the product itself writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class _ReadOnlyRows(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True  # seen only within a page that asked for its own permission


class _ImageRows(_ReadOnlyRows):
    model = Image
    fields = ("position", "filename", "kind", "width", "height", "byte_size", "sha256")


class _RejectedRows(_ReadOnlyRows):
    model = RejectedFile
    fields = ("position", "filename", "code", "message")


class _TransitionRows(_ReadOnlyRows):
    model = JobTransition
    fields = ("at", "move", "source", "target", "token", "by", "detail")


@admin.register(Study)
class StudyAdmin(_ReadOnly):
    """What was sent in: the record, without the pictures."""

    list_display = ("id", "created_at", "submitted_by", "patient_id", "accession_number")
    list_filter = ("created_at",)
    search_fields = ("id", "patient_id", "accession_number", "submitted_by__username")
    list_select_related = ("submitted_by",)
    inlines = (_ImageRows, _RejectedRows)


class RetryForm(ActionForm):
    """The reason that a retry needs, beside the choice of the action."""

    reason = forms.CharField(required=False, max_length=200, label="Reason for a retry")


@admin.register(Job)
class JobAdmin(_ReadOnly):
    """The work of reading, with each move it made."""

    list_display = ("id", "status", "created_at", "attempts", "error_code", "model_version", "worker_name")
    list_filter = ("status", "error_code", "model_version", "created_at")
    search_fields = ("id", "image__id", "image__study__id")
    list_select_related = ("model_version",)
    inlines = (_TransitionRows,)
    action_form = RetryForm
    actions = ("retry",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the action below."""
        return request.user.has_perm("diagnoses.retry_job")

    @admin.action(description="Queue again (failed or refused jobs; a reason is needed)", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Queue the chosen jobs again, each on record."""
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, "Say why: fill in the reason beside the action.", messages.ERROR)
            return
        actor = audit.actor_of(request)
        retried = sum(retry_job(job=job, actor=actor, reason=reason) for job in queryset)
        untouched = len(queryset) - retried
        self.message_user(request, f"{retried} queued again.", messages.SUCCESS if retried else messages.WARNING)
        if untouched:
            self.message_user(request, f"{untouched} left alone: neither failed nor refused.", messages.WARNING)


@admin.register(ModelVersion)
class ModelVersionAdmin(_ReadOnly):
    """The models that read here, each with its card."""

    list_display = ("name", "version", "architecture", "threshold", "temperature", "registered_at")


@admin.register(Worker)
class WorkerAdmin(_ReadOnly):
    """The processes that read, and when each was last heard."""

    list_display = ("name", "model_version", "engine", "started_at", "seen_at")
    list_select_related = ("model_version",)


@admin.register(AuditEvent)
class AuditEventAdmin(_ReadOnly):
    """Who did and saw what. Nothing here can be added, changed or deleted, by anybody."""

    list_display = ("when", "action", "actor_name", "actor_roles", "address", "object_type", "object_id")
    list_filter = ("action", "at", "object_type")
    search_fields = ("actor_name", "object_id", "address")
    date_hierarchy = "at"

    @admin.display(description="at", ordering="id")
    def when(self, event: AuditEvent) -> str:
        """The time to the second: two events of a minute have an order."""
        return f"{timezone.localtime(event.at):%Y-%m-%d %H:%M:%S}"


class AuditedUserAdmin(_Audited, UserAdmin):  # type: ignore[type-arg]
    """Accounts. Only a superuser hands out rights beyond the roles, or touches another superuser."""

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if _is_superuser(request) else (*fixed, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        above = obj is not None and obj.is_superuser and not _is_superuser(request)
        return not above and super().has_change_permission(request, obj)


class AuditedGroupAdmin(_Audited, GroupAdmin):
    """The roles."""


class AuditedTokenAdmin(_Audited, TokenAdmin):
    """API tokens. Only a superuser makes or sees one in a superuser's name."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        tokens = super().get_queryset(request)
        return tokens if _is_superuser(request) else tokens.filter(user__is_superuser=False)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if not _is_superuser(request):
            options["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **options)


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


admin.site.unregister([User, Group, TokenProxy])
admin.site.register(User, AuditedUserAdmin)
admin.site.register(Group, AuditedGroupAdmin)
admin.site.register(TokenProxy, AuditedTokenAdmin)
