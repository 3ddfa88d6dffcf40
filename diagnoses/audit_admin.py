"""The audit in the administrator's panel: looked through, followed for one study, and exported."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from diagnoses import audit
from diagnoses.audit_export import FORMATS
from diagnoses.audit_terms import MEANINGS
from diagnoses.models import AuditEvent, Job, Study
from diagnoses.models.audit import AuditAction, Outcome
from diagnoses.selectors.audit_events import (
    MOST_SIGHTINGS,
    narrowed,
    people_of,
    sightings_of,
    stream_audit,
)
from diagnoses.selectors.patients import find_patient
from diagnoses.views.filtering import filter_detail
from diagnoses.views.streaming import off_the_loop

MOST_LISTED = 10_000
"""Events that the list leads through; to count millions at each page would take longer than to show them."""

_OF_PATIENTS = (Study, Job)
_OUTCOMES = [(str(value), words) for value, words in Outcome.choices]


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only the product itself writes. To look at those of a study is on record."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By the filters that are shown, and nothing else: what a page leaves out is not to be guessed by address."""
        return lookup.partition("__")[0] in self.list_filter and super().lookup_allowed(lookup, value, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if self.model in _OF_PATIENTS and self.has_view_permission(request):
            audit.record(AuditAction.HISTORY_VIEWED, audit.actor_of(request), page=f"admin:{self.opts.model_name}")
        return super().changelist_view(request, extra_context)

    def change_view(self, request: HttpRequest, object_id: str, *arguments: Any, **options: Any) -> HttpResponse:
        may_look = self.model in _OF_PATIENTS and self.has_view_permission(request)
        if may_look and (found := self.get_object(request, object_id)):
            audit.record(AuditAction.STUDY_VIEWED, audit.actor_of(request), found, page="admin")
        return super().change_view(request, object_id, *arguments, **options)


class AuditForm(forms.Form):
    """What the list is narrowed by. Whole values, as an index finds them; nothing of it is kept."""

    who = forms.CharField(label=_("Person"), max_length=150, required=False)
    patient = forms.UUIDField(label=_("Patient (pseudonym)"), required=False)
    study = forms.UUIDField(label=_("Study"), required=False)
    object_id = forms.CharField(label=_("Object"), max_length=64, required=False)
    address = forms.CharField(label=_("Address"), max_length=64, required=False)
    action = forms.ChoiceField(label=_("Action"), choices=[("", "—"), *AuditAction.choices], required=False)
    event = forms.ChoiceField(
        label=_("Event"), choices=[("", "—"), *((str(kind), words) for kind, words in MEANINGS.items())], required=False
    )
    outcome = forms.ChoiceField(label=_("Outcome"), choices=[("", "—"), *_OUTCOMES], required=False)
    failed = forms.ChoiceField(label=_("Failures"), choices=[("", "—"), ("0", _("Failures only"))], required=False)
    since = forms.DateTimeField(label=_("From"), required=False, widget=forms.DateTimeInput({"type": "datetime-local"}))
    until = forms.DateTimeField(
        label=_("Until"), required=False, widget=forms.DateTimeInput({"type": "datetime-local"})
    )

    def clean_patient(self) -> str:
        pseudonym = self.cleaned_data["patient"]
        return str(pseudonym) if pseudonym else ""

    def wanted(self) -> dict[str, Any]:
        """The fields that are set, by their names."""
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}


class AuditList(ChangeList):
    """A list whose parameters are those of the form."""

    def __init__(self, request: HttpRequest, *arguments: Any) -> None:
        self.form = AuditForm(request.GET)
        self.is_valid = self.form.is_valid()
        super().__init__(request, *arguments)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in self.form.fields}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[AuditEvent]:
        events = super().get_queryset(request, exclude_parameters)
        return narrowed(events, self.form.wanted()) if self.is_valid else events.none()


class NewestPaginator(Paginator):  # type: ignore[type-arg]
    """Leads through the newest ones alone, so that it never counts them all."""

    @cached_property
    def count(self) -> int:
        events: QuerySet[AuditEvent] = self.object_list[:MOST_LISTED]  # type: ignore[assignment]
        return events.count()


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    """Who did and saw what. Nothing here can be added, changed or deleted, by anybody; each look is on record."""

    list_display = ("when", "action", "actor_name", "actor_roles", "address", "about", "seen", "outcome")
    list_display_links = ("when",)
    list_per_page = 100
    paginator = NewestPaginator
    show_full_result_count = False
    change_list_template = "admin/diagnoses/auditevent/list.html"
    ordering = ("-id",)
    sortable_by = ()

    @admin.display(description=_("at"), ordering="id")
    def when(self, event: AuditEvent) -> str:
        """The time to the second: two events of a minute have an order."""
        at = timezone.localtime(event.at)
        return f"{date_format(at, 'SHORT_DATE_FORMAT')} {at:%H:%M:%S}"

    @admin.display(description=_("object"))
    def about(self, event: AuditEvent) -> str:
        return f"{event.object_type} {event.object_id}".strip()

    @admin.display(description=_("study"))
    def seen(self, event: AuditEvent) -> SafeString | str:
        if not event.study:
            return ""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:diagnoses_auditevent_seen", args=[event.study]), _("Who saw it")
        )

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return AuditList

    def get_urls(self) -> list[URLPattern]:
        def own(address: str, view: Any, name: str) -> URLPattern:
            shown = self.admin_site.admin_view(require_safe(view))
            found: URLPattern = path(address, shown, name=f"diagnoses_auditevent_{name}")
            return found

        find = self.admin_site.admin_view(require_POST(self.find_view))
        return [
            path("patient/", find, name="diagnoses_auditevent_patient"),
            own("study/<uuid:study_id>/", self.seen_view, "seen"),
            own("export/<str:kind>/", self.export_view, "export"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        form = AuditForm(request.GET)
        if self.has_view_permission(request):
            audit.record(
                AuditAction.AUDIT_VIEWED, audit.actor_of(request), **(filter_detail(form) if form.is_valid() else {})
            )
        context = {"form": form, "kinds": list(FORMATS), "most": MOST_LISTED, "query": request.GET.urlencode()}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(self, request: HttpRequest, object_id: str, *arguments: Any, **options: Any) -> HttpResponse:
        if self.has_view_permission(request) and (event := self.get_object(request, object_id)):
            audit.record(AuditAction.AUDIT_VIEWED, audit.actor_of(request), event)
        return super().change_view(request, object_id, *arguments, **options)

    def seen_view(self, request: HttpRequest, study_id: uuid.UUID) -> HttpResponse:
        """Who saw the study, when, and what of it."""
        self._ask_for_permission(request)
        audit.record(AuditAction.AUDIT_VIEWED, audit.actor_of(request), Study(pk=study_id))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Who saw the study {id}").format(id=study_id),
            "opts": self.opts,
            "patient": Study.objects.filter(pk=study_id).values_list("subject_id", flat=True).first(),
            "people": people_of(study_id),
            "events": sightings_of(study_id),
            "most": MOST_SIGHTINGS,
        }
        return render(request, "admin/diagnoses/auditevent/seen.html", context)

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """Lead from a patient ID to the events of who has it: by the pseudonym, so that no address names a patient."""
        self._ask_for_permission(request)
        patient = find_patient(request.POST.get("patient_id", ""))
        pseudonym = str(patient.pk) if patient else ""
        audit.record(AuditAction.AUDIT_VIEWED, audit.actor_of(request), looked_for="patient", patient=pseudonym)
        here = reverse("admin:diagnoses_auditevent_changelist")
        if patient:
            return redirect(f"{here}?patient={pseudonym}")
        words = gettext(
            "Nobody has this patient ID here. Give it whole; a patient who was erased is found by the pseudonym."
        )
        self.message_user(request, words, messages.WARNING)
        return redirect(here)

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """All that match the filter, from old to new."""
        self._ask_for_permission(request)
        form = AuditForm(request.GET)
        if kind not in FORMATS or not form.is_valid():
            words = gettext("The filter is not valid. Go back to the list and set it again.")
            return HttpResponse(words, status=400, content_type="text/plain; charset=utf-8")
        write, content_type = FORMATS[kind]
        audit.record(AuditAction.AUDIT_EXPORTED, audit.actor_of(request), format=kind, **filter_detail(form))
        lines = write(stream_audit(form.wanted()))
        response = StreamingHttpResponse(off_the_loop(lines), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="audit-{timezone.localdate():%Y-%m-%d}.{kind}"'
        return response

    def _ask_for_permission(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied
