"""Choosing how the product speaks and looks."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from diagnoses import audit
from diagnoses.forms import LanguageForm, PreferencesForm, ThemeForm
from diagnoses.preferences import profile_of, remember
from diagnoses.services.profiles import save_profile


@login_not_required
@require_POST
@never_cache
def set_language(request: HttpRequest) -> HttpResponse:
    """Speak another language from now on: to everybody by a cookie, to a signed-in user wherever they sign in."""
    form = LanguageForm(request.POST)
    response = _back(request)
    if not form.is_valid():
        return response
    language = form.cleaned_data["language"]
    if isinstance(request.user, User):
        remember(request, save_profile(user=request.user, actor=audit.actor_of(request), language=language))
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
    return response


@require_POST
@never_cache
def set_theme(request: HttpRequest) -> HttpResponse:
    """Be light, dark, or as the system is."""
    form = ThemeForm(request.POST)
    if form.is_valid() and isinstance(request.user, User):
        remember(
            request, save_profile(user=request.user, actor=audit.actor_of(request), theme=form.cleaned_data["theme"])
        )
    return _back(request)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def preferences(request: HttpRequest) -> HttpResponse:
    """All that a user may choose, on one page."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    sent = request.POST if request.method == "POST" else None
    form = PreferencesForm(sent, instance=profile_of(request.user), user=request.user)
    saved = form.is_bound and form.is_valid()
    if saved:
        remember(request, save_profile(user=request.user, actor=audit.actor_of(request), **form.cleaned_data))
        return HttpResponseRedirect(f"{reverse('preferences')}?saved=1")
    context = {"form": form, "saved": _("Saved.") if "saved" in request.GET else ""}
    return render(request, "diagnoses/preferences.html", context, status=400 if form.errors else 200)


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """To the page that was left, where it is one of ours."""
    target = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(target if ours else reverse("worklist"))
