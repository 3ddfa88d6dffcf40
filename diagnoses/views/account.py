"""A user's own account: factors, sessions, password; and how long the session lasts."""

from typing import Any

from allauth.account import views as allauth_views
from allauth.account.internal.stagekit import clear_login
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as code_views
from allauth.mfa.webauthn.views import RemoveWebAuthnView
from allauth.usersessions.adapter import get_adapter as session_adapter
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LogoutView
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from diagnoses import audit
from diagnoses.accounts import timeouts
from diagnoses.accounts.again import confirm_first
from diagnoses.accounts.forms import InvitationForm
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.second_factors import FACTORS, is_lost, lacks_second_factor
from diagnoses.services.inviting import accept_invitation, invited_user
from diagnoses.services.sessions import end_sessions_of
from diagnoses.views.finding import user_id


@require_safe
@never_cache
def security(request: HttpRequest) -> HttpResponse:
    """What keeps the account safe, on one page."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    factors = Authenticator.objects.filter(user=request.user, type__in=FACTORS).order_by("created_at")
    recovery = Authenticator.objects.filter(user=request.user, type=Authenticator.Type.RECOVERY_CODES).first()
    context = {
        "factors": factors,
        "has_app": any(factor.type == Authenticator.Type.TOTP for factor in factors),
        "recovery_left": _left(recovery) if recovery else None,
        "sessions": len(timeouts.standing_sessions(request)),
        "lacks": lacks_second_factor(request.user),
        "tokens_url": _address_of("api_tokens"),
    }
    return render(request, "diagnoses/security.html", context)


@require_http_methods(["GET", "POST"])
@never_cache
def session_left(request: HttpRequest) -> JsonResponse:
    """How many seconds the session has left, for a page that waits for its end; a POST says that somebody is there."""
    if request.method == "POST":
        timeouts.touch(request.session, at_once=True)
    left = timeouts.seconds_left(request.session)
    last = timeouts.is_at_its_last(request.session)
    return JsonResponse({"left": round(left), "last": last, "user": str(request.user.pk)})


class SignOut(LogoutView):
    """Ends the session, and has the browser forget the pages that it kept of it."""

    http_method_names = ["get", "head", "options", "post"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Who comes by the sign-in, having pressed the button after the end, has signed in to go on."""
        return redirect("worklist")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page's own script has removed what was the user's; what others keep in this browser stays."""
        answer = super().post(request, *args, **kwargs)
        answer["Clear-Site-Data"] = '"cache"'
        return answer


sign_out = SignOut.as_view()


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def sessions(request: HttpRequest) -> HttpResponse:
    """Where one is signed in, having confirmed who one is; a POST ends the session that it names, or all others."""
    if first := confirm_first(request):
        return first
    if request.method == "POST":
        return _end_session(request, request.POST["session"]) if "session" in request.POST else _end_others(request)
    listed = timeouts.standing_sessions(request)
    return render(request, "usersessions/usersession_list.html", {"sessions": listed})


def _end_others(request: HttpRequest) -> HttpResponseRedirect:
    """All of the user's but this one, also those that are in no list."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    session_adapter().end_sessions([row for row in timeouts.standing_sessions(request) if not row.is_current()])
    if unlisted := end_sessions_of(user=request.user, but=request.session.session_key):
        audit.record(AuditAction.SESSION_ENDED, audit.actor_of(request), reason="user", sessions=unlisted)
    messages.success(request, _("Your other sessions have ended."))
    return redirect("usersessions_list")


def _end_session(request: HttpRequest, key: str) -> HttpResponseRedirect:
    """Another one of the user's. One that is no longer there has ended."""
    chosen = UserSession.objects.filter(user_id=user_id(request), pk=key) if key.isdecimal() else ()
    session_adapter().end_sessions([session for session in chosen if not session.is_current()])
    messages.success(request, _("The session has ended."))
    return redirect("usersessions_list")


@login_not_required
@require_POST
@never_cache
def cancel_sign_in(request: HttpRequest) -> HttpResponse:
    """Give up a sign-in that waits for its second factor."""
    if not request.user.is_authenticated:
        clear_login(request)
    return redirect("sign_in")


@login_not_required
@sensitive_post_parameters("new_password1", "new_password2")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a password with a link that an administrator made. It signs nobody in."""
    user = invited_user(token)
    if user is None:
        raise Http404
    form = InvitationForm(user, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        if not accept_invitation(token=token, password=form.cleaned_data["new_password1"]):
            raise Http404
        messages.success(request, _("Your password is set. Sign in with it."))
        return redirect("sign_in")
    context = {"form": form, "invited": user}
    return render(request, "diagnoses/invitation.html", context, status=400 if form.errors else 200)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The administration has no sign-in of its own."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode({'next': request.GET.get('next', '')})}")


@require_http_methods(["GET", "HEAD", "POST"])
def admin_password(request: HttpRequest) -> HttpResponse:
    """The administration has no change of password of its own."""
    return redirect("account_change_password")


@sensitive_post_parameters("oldpassword", "password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def change_password(request: HttpRequest) -> HttpResponse:
    """Change one's password, knowing the current one."""
    return confirm_first(request) or allauth_views.password_change(request)


@require_http_methods(["GET", "HEAD", "OPTIONS"])
@never_cache
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """The recovery codes; new ones instead where the site has lost the key to these."""
    of_user = Authenticator.objects.filter(user_id=request.user.pk, type=Authenticator.Type.RECOVERY_CODES)
    if any(is_lost(codes) for codes in of_user):
        return redirect("mfa_generate_recovery_codes")
    return code_views.view_recovery_codes(request)  # type: ignore[no-any-return]


class RemoveKey(RemoveWebAuthnView):  # type: ignore[misc]
    """Removes a security key, unless it is the last factor of somebody who needs one."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Remove it."""
        if not get_adapter().can_delete_authenticator(self.object):
            error = get_adapter().validation_error("cannot_delete_authenticator")
            messages.error(self.request, " ".join(error.messages))
            return redirect("security")
        return super().form_valid(form)  # type: ignore[no-any-return]


remove_key = RemoveKey.as_view()


def _left(recovery: Authenticator) -> int:
    return 0 if is_lost(recovery) else len(recovery.wrap().get_unused_codes())


def _address_of(name: str) -> str:
    """Empty for a page that this site does not have."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
