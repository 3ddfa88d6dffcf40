"""The administrator's panel: users, what came in, what became of it, and the audit. Django's own admin."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from diagnoses import audit
from diagnoses.accounts_admin import Audited, is_superuser
from diagnoses.audit import Actor
from diagnoses.audit_admin import ReadOnly as _ReadOnly
from diagnoses.models import (
    ApiToken,
    Image,
    Job,
    JobTransition,
    ModelChange,
    ModelVersion,
    RejectedFile,
    Study,
    Worker,
)
from diagnoses.models.registry import Standing
from diagnoses.roles import MAY_PROMOTE, MAY_REVOKE_TOKENS
from diagnoses.selectors.shadow import MOST_ROWS, shadow_comparison
from diagnoses.services import registry
from diagnoses.services.retrying import retry_job
from diagnoses.services.tokens import revoke_token
from diagnoses.templatetags.percent import decimals

admin.site.site_header = _("Chest X-ray reader: administration")
admin.site.site_title = _("Chest X-ray reader")
admin.site.index_title = _("Users, studies, jobs and the audit")


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
    fields = ("position", "kind", "width", "height", "byte_size", "sha256")


class _RejectedRows(_ReadOnlyRows):
    model = RejectedFile
    fields = ("position", "code")


class _TransitionRows(_ReadOnlyRows):
    model = JobTransition
    fields = ("at", "move", "source", "target", "token", "by", "detail")


def reason_of(panel: "admin.ModelAdmin[Any]", request: HttpRequest) -> str:
    """What was given as reason beside an action; where it is empty the person is told."""
    reason = request.POST.get("reason", "").strip()
    if not reason:
        panel.message_user(request, gettext("Say why: fill in the reason beside the action."), messages.ERROR)
    return reason


@admin.register(Study)
class StudyAdmin(_ReadOnly):
    """What was sent in: the record, by pseudonym, without pictures or anything that tells of a patient."""

    list_display = fields = ("id", "created_at", "submitted_by", "department", "subject", "urgent")
    list_filter = ("created_at", "department")
    search_fields = ("id", "subject__id", "submitted_by__username")
    list_select_related = ("submitted_by", "department", "subject")
    inlines = (_ImageRows, _RejectedRows)


class ReasonForm(ActionForm):
    """The reason that an action needs, beside its choice."""

    reason = forms.CharField(required=False, max_length=200, label=_("Reason"))


@admin.register(Job)
class JobAdmin(_ReadOnly):
    """The work of reading, with each move it made."""

    list_display = ("id", "status", "created_at", "attempts", "error_code", "model_version", "worker_name")
    # Not why a clinician had it read all the same: people name patients there.
    exclude = ("override_reason",)
    list_filter = ("status", "error_code", "model_version", "created_at")
    search_fields = ("id", "image__id", "image__study__id")
    list_select_related = ("model_version",)
    inlines = (_TransitionRows,)
    action_form = ReasonForm
    actions = ("retry",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the action below."""
        return request.user.has_perm("diagnoses.retry_job")

    @admin.action(description=_("Queue again (failed or refused jobs; a reason is needed)"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Queue the chosen jobs again, each on record."""
        reason = reason_of(self, request)
        if not reason:
            return
        actor = audit.actor_of(request)
        retried = sum(retry_job(job=job, actor=actor, reason=reason) for job in queryset)
        untouched = len(queryset) - retried
        words = ngettext("{count} queued again.", "{count} queued again.", retried).format(count=retried)
        self.message_user(request, words, messages.SUCCESS if retried else messages.WARNING)
        if untouched:
            words = ngettext(
                "{count} left alone: neither failed nor refused.",
                "{count} left alone: neither failed nor refused.",
                untouched,
            )
            self.message_user(request, words.format(count=untouched), messages.WARNING)


def _roll_back(*, version: ModelVersion, actor: Actor, reason: str) -> None:
    """What was seen as the default when the action was chosen must be it still."""
    if not version.is_live:
        words = gettext("{model} is not the default. Choose the default to roll back from it.")
        raise registry.RegistryError(words.format(model=version))
    registry.roll_back(actor=actor, reason=reason)


def _stop_shadow(*, version: ModelVersion, actor: Actor, reason: str) -> None:
    if version.standing != Standing.SHADOW:
        words = gettext("{model} is not the shadow. Choose the one that is.")
        raise registry.RegistryError(words.format(model=version))
    registry.stop_shadow(actor=actor, reason=reason)


@admin.register(ModelVersion)
class ModelVersionAdmin(_ReadOnly):
    """The models that read here, each with its card, and the choice of what reads."""

    list_display = (
        "__str__",
        "standing",
        "available",
        "rounded_threshold",
        "band",
        "registered_at",
        "comparison",
    )
    fields = (
        ("name", "version"),
        ("standing", "available"),
        "architecture",
        "preprocessing_version",
        "rounded_threshold",
        "rounded_temperature",
        "band",
        "card_sha256",
        "weights_sha256",
        "card",
    )
    readonly_fields = ("rounded_threshold", "rounded_temperature", "band")
    action_form = ReasonForm
    actions = ("make_default", "go_back", "run_as_shadow", "end_shadow")

    @admin.display(description=_("threshold"), ordering="threshold")
    def rounded_threshold(self, version: ModelVersion) -> str:
        return decimals(version.threshold)

    @admin.display(description=_("temperature"))
    def rounded_temperature(self, version: ModelVersion) -> str:
        return decimals(version.temperature)

    @admin.display(description=_("cannot say between"))
    def band(self, version: ModelVersion) -> str:
        low, high = decimals(version.band_low), decimals(version.band_high)
        return gettext("{low} and {high}").format(low=low, high=high)

    @admin.display(description=_("beside the default"))
    def comparison(self, version: ModelVersion) -> str:
        url = reverse("admin:diagnoses_modelversion_shadow", args=[version.pk])
        return format_html('<a href="{}">{}</a>', url, gettext("Shadow comparison"))

    def has_promote_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the actions below."""
        return request.user.has_perm(MAY_PROMOTE)

    @admin.action(description=_("Make it the default (a reason is needed)"), permissions=["promote"])
    def make_default(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """Read new studies with the chosen version from now on."""
        self._change(request, queryset, registry.promote, gettext("{model} is the default now."))

    @admin.action(description=_("Roll back from it to the one before (a reason is needed)"), permissions=["promote"])
    def go_back(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """Undo the choice of the chosen version, which has to be the default."""
        self._change(request, queryset, _roll_back, gettext("Rolled back from {model}."))

    @admin.action(description=_("Run it as shadow (a reason is needed)"), permissions=["promote"])
    def run_as_shadow(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """Have the chosen version read each new image too, for comparison alone."""
        self._change(request, queryset, registry.start_shadow, gettext("{model} runs as shadow now."))

    @admin.action(description=_("Stop it as shadow (a reason is needed)"), permissions=["promote"])
    def end_shadow(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """Let the chosen version, which has to be the shadow, read no new images."""
        self._change(request, queryset, _stop_shadow, gettext("{model} is no shadow any more."))

    def _change(
        self, request: HttpRequest, queryset: QuerySet[ModelVersion], change: Callable[..., object], done: str
    ) -> None:
        reason = reason_of(self, request)
        if not reason:
            return
        versions = list(queryset[:2])
        if len(versions) != 1:
            self.message_user(request, gettext("Choose one version."), messages.ERROR)
            return
        try:
            change(version=versions[0], actor=audit.actor_of(request), reason=reason)
        except registry.RegistryError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, done.format(model=versions[0]), messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        shadow = self.admin_site.admin_view(require_safe(self.shadow))
        return [path("<int:pk>/shadow/", shadow, name="diagnoses_modelversion_shadow"), *super().get_urls()]

    def shadow(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How the version's answers compare with those that clinicians got: numbers, and no pictures."""
        version = get_object_or_404(ModelVersion, pk=pk)
        if not self.has_view_permission(request, version):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Shadow comparison: {model}").format(model=version),
            "opts": self.opts,
            "version": version,
            "comparison": shadow_comparison(version),
            "most_rows": MOST_ROWS,
        }
        return render(request, "admin/diagnoses/modelversion/shadow.html", context)


@admin.register(ModelChange)
class ModelChangeAdmin(_ReadOnly):
    """What read when, by whose choice, and why. Nothing here can be added, changed or deleted, by anybody."""

    list_display = ("at", "kind", "version", "replaced", "by", "reason")
    list_filter = ("kind", "version", "at")
    list_select_related = ("version", "replaced")


@admin.register(Worker)
class WorkerAdmin(_ReadOnly):
    """The processes that read, and when each was last heard."""

    list_display = ("name", "loaded", "engine", "started_at", "seen_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        return super().get_queryset(request).prefetch_related("model_versions")

    @admin.display(description=_("models"))
    def loaded(self, worker: Worker) -> str:
        return ", ".join(str(version) for version in worker.model_versions.all())


class AuditedGroupAdmin(Audited, GroupAdmin):
    """The roles."""


@admin.register(ApiToken)
class ApiTokenAdmin(_ReadOnly):
    """API tokens: whose, for what, until when. Each is made by its user alone, and its secret is kept nowhere."""

    list_display = ("name", "user", "start", "scope_words", "expires_at", "last_used_on", "revoked_at")
    list_filter = ("expires_at", "revoked_at")
    search_fields = ("name", "start", "user__username")
    list_select_related = ("user",)
    exclude = ("digest",)
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        tokens = super().get_queryset(request)
        return tokens if is_superuser(request) else tokens.filter(user__is_superuser=False)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the action below."""
        return request.user.has_perm(MAY_REVOKE_TOKENS)

    @admin.action(description=_("Revoke"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Have the chosen ones open nothing from now on, each on record."""
        actor = audit.actor_of(request)
        revoked = sum(revoke_token(actor=actor, token=token) for token in queryset)
        words = ngettext("{count} token revoked.", "{count} tokens revoked.", revoked).format(count=revoked)
        self.message_user(request, words, messages.SUCCESS if revoked else messages.WARNING)


admin.site.unregister(Group)
admin.site.register(Group, AuditedGroupAdmin)
