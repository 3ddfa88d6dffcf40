"""Accounts in the administrator's panel: by invitation, without anybody's password in an administrator's hands."""

from hashlib import sha256
from typing import Any

from allauth.account.admin import EmailAddressAdmin
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.account.models import EmailAddress
from allauth.mfa.admin import AuthenticatorAdmin
from allauth.mfa.models import Authenticator
from allauth.usersessions.admin import UserSessionAdmin
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from diagnoses import audit
from diagnoses.accounts.again import confirm_first
from diagnoses.models import Department
from diagnoses.models.audit import AuditAction
from diagnoses.services import inviting
from diagnoses.services.sessions import end_sessions_of


class Audited(admin.ModelAdmin):  # type: ignore[type-arg]
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


def is_superuser(request: HttpRequest) -> bool:
    """Whether a superuser asks."""
    return isinstance(request.user, User) and request.user.is_superuser


class NewUserForm(forms.ModelForm):  # type: ignore[type-arg]
    """An account without a password: an invitation lets its user choose one."""

    class Meta:
        model = User
        fields = ("username", "email")

    def save(self, commit: bool = True) -> User:
        """The account."""
        self.instance.set_unusable_password()
        user: User = super().save(commit)
        return user


class KnownUserForm(UserChangeForm):  # type: ignore[type-arg]
    """An account, of whose password nothing is shown. It undoes nothing that was changed since it was opened."""

    password = None  # type: ignore[assignment]
    as_it_was = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["as_it_was"] = state_of(self.instance)

    def clean(self) -> dict[str, Any]:
        """Refuse what was filled in for an account that was changed since. Its row stays locked until it is saved."""
        said: dict[str, Any] = super().clean() or {}
        account = User.objects.select_for_update().get(pk=self.instance.pk)
        if said.get("as_it_was") != state_of(account):
            raise forms.ValidationError(
                _("Somebody has changed this account since you opened it. Open it anew, and make your change there.")
            )
        return said


def state_of(account: User) -> str:
    """A digest of all that an administrator decides about an account."""
    fields = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")
    rows = (account.groups, account.user_permissions, Department.objects.filter(profile__user=account))
    decided = [
        *(getattr(account, field) for field in fields),
        *(sorted(of_account.values_list("pk", flat=True)) for of_account in rows),
    ]
    return sha256(repr(decided).encode()).hexdigest()


class AuditedUserAdmin(Audited, UserAdmin):  # type: ignore[type-arg]
    """Accounts. Only a superuser hands out rights beyond the roles, or touches another superuser."""

    form = KnownUserForm
    add_form = NewUserForm
    add_fieldsets = ((None, {"fields": ("username", "email")}),)
    fieldsets = ((None, {"fields": ("username",)}), *(UserAdmin.fieldsets or ())[1:])
    readonly_fields = ("last_login", "date_joined")
    actions = ("invite", "remove_second_factors", "end_sessions")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if is_superuser(request) else (*fixed, "is_superuser", "user_permissions")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        first, *more = super().get_fieldsets(request, obj)
        if obj is not None and self.has_change_permission(request, obj):
            first = (None, {"fields": ("username", "as_it_was")})
        return (first, *more)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        above = obj is not None and obj.is_superuser and not is_superuser(request)
        return not above and super().has_change_permission(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Nobody sets a password for somebody else."""
        raise Http404

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """With both names where there is a new one, so that what is on record under the old one has its account."""
        message = super().construct_change_message(request, form, formsets, add)
        if not add and "username" in form.changed_data:
            names = {"was": form.initial["username"], "now": form.cleaned_data["username"]}
            message.append({"renamed": names})
        return message

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change and "email" in form.changed_data:
            raise_if_reauthentication_required(request, app="allauth.account")
        if change:  # nothing else of the row: its user may just be choosing a password
            columns = {field.name for field in User._meta.concrete_fields}
            obj.save(update_fields=columns.intersection(form.changed_data))
        else:
            super().save_model(request, obj, form, change)

    @admin.action(description=_("Invite to choose a password (the first one, or a new one)"), permissions=["change"])
    def invite(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Make a link for one user, show it once, and mail it where that is set up."""
        if elsewhere := confirm_first(request):
            return elsewhere
        user = self._one_other(request, queryset)
        if user is None:
            return None
        path = inviting.invite(user=user, actor=audit.actor_of(request))
        mailed = inviting.mail_invitation(user=user, path=path)
        words = (
            gettext("Mailed to {name}, and for you to hand over, shown once, valid {days} days: {link}")
            if mailed
            else gettext("Hand this link to {name}. It is shown once, and valid {days} days: {link}")
        )
        said = format_html(
            words, name=user.get_username(), days=inviting.VALID_DAYS, link=request.build_absolute_uri(path)
        )
        self.message_user(request, said, messages.SUCCESS)
        return None

    @admin.action(description=_("Remove the second factors (they are lost)"), permissions=["change"])
    def remove_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Let one user sign in with the password alone, to set up a new factor."""
        if elsewhere := confirm_first(request):
            return elsewhere
        user = self._one_other(request, queryset)
        if user is None:
            return None
        count = inviting.remove_factors(user=user, actor=audit.actor_of(request))
        words = ngettext("{count} factor of {name} removed.", "{count} factors of {name} removed.", count)
        self.message_user(request, words.format(count=count, name=user.get_username()), messages.SUCCESS)
        return None

    @admin.action(description=_("End all sessions"), permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Sign one user out everywhere."""
        if elsewhere := confirm_first(request):
            return elsewhere
        user = self._one_other(request, queryset)
        if user is None:
            return None
        count = end_sessions_of(user=user)
        audit.record(AuditAction.SESSION_ENDED, audit.actor_of(request), user, reason="administrator", sessions=count)
        words = ngettext("{count} session of {name} ended.", "{count} sessions of {name} ended.", count)
        self.message_user(request, words.format(count=count, name=user.get_username()), messages.SUCCESS)
        return None

    def _one_other(self, request: HttpRequest, queryset: QuerySet[User]) -> User | None:
        """The chosen user, where it is one, and one that the administrator may touch; who says why not where not."""
        users = list(queryset[:2])
        if len(users) != 1:
            self.message_user(request, gettext("Choose one account."), messages.ERROR)
        elif users[0] == request.user:
            self.message_user(request, gettext("For your own account use the page Security."), messages.ERROR)
        elif not users[0].is_active:
            self.message_user(request, gettext("The account is switched off. Switch it on first."), messages.ERROR)
        elif not self.has_change_permission(request, users[0]):
            self.message_user(request, gettext("Only a superuser does this to a superuser."), messages.ERROR)
        else:
            return users[0]
        return None


# What allauth registers, with its admin modules imported above, would show secrets and let them be changed unseen.
_THEIRS = {EmailAddress: EmailAddressAdmin, Authenticator: AuthenticatorAdmin, UserSession: UserSessionAdmin}
admin.site.unregister([User, *_THEIRS])
admin.site.register(User, AuditedUserAdmin)
