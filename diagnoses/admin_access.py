"""The panel's part that says who may see what: departments, whose members users are, and emergency accesses."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diagnoses import audit
from diagnoses.accounts_admin import Audited, AuditedUserAdmin
from diagnoses.audit_admin import ReadOnly
from diagnoses.models import Department, EmergencyAccess, Profile
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.emergencies import events_under


@admin.register(Department)
class DepartmentAdmin(Audited):
    """The departments. One that is not wanted any more is closed; the record goes on naming it."""

    list_display = ("name", "active")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(EmergencyAccess)
class EmergencyAccessAdmin(ReadOnly):
    """Who saw whom in an emergency, why, and what they opened. Nothing here can be added, changed or deleted."""

    list_display = ("granted_at", "user", "patient", "reason", "until", "ended_at")
    fields = (*list_display, "opened")
    readonly_fields = ("opened",)
    list_filter = ("granted_at",)
    search_fields = ("user__username", "patient__id")
    list_select_related = ("user", "patient")

    @admin.display(description=_("what was opened"))
    def opened(self, access: EmergencyAccess) -> str:
        lines = (
            (
                date_format(timezone.localtime(event.at), "SHORT_DATETIME_FORMAT"),
                event.get_action_display(),
                event.object_type,
                event.object_id,
            )
            for event in events_under(access)
        )
        return format_html_join("", "<div>{}: {} ({} {})</div>", lines) or gettext("Nothing.")


class _DepartmentOfUser(admin.StackedInline):  # type: ignore[type-arg]
    model = Profile
    fields = ("department",)
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True  # seen and changed only within the account's page, which asks for its own permission

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True


class AccountAdmin(AuditedUserAdmin):
    """Accounts, each with its department."""

    inlines = (_DepartmentOfUser,)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Put on record, too, who is of which department from now on."""
        super().save_formset(request, form, formset, change)
        for profile in [*formset.new_objects, *(changed for changed, _fields in formset.changed_objects)]:
            department = str(profile.department or "")
            audit.record(AuditAction.PERMISSIONS_CHANGED, audit.actor_of(request), form.instance, department=department)


admin.site.unregister(User)
admin.site.register(User, AccountAdmin)
