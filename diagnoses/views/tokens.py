"""One's own API tokens."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from diagnoses import audit
from diagnoses.accounts.again import confirm_first
from diagnoses.forms import TokenForm
from diagnoses.models.token import Scope
from diagnoses.selectors.tokens import tokens_of
from diagnoses.services.tokens import NewToken, create_token, revoke_token


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def api_tokens(request: HttpRequest) -> HttpResponse:
    """The user's tokens; a POST makes one, whose secret stands in this one answer and nowhere else."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    if elsewhere := confirm_first(request):
        return elsewhere
    form = TokenForm(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_bound and form.is_valid():
        said = form.cleaned_data
        scopes = [Scope(scope) for scope in said["scopes"]]
        new = create_token(
            actor=audit.actor_of(request), user=request.user, name=said["name"], scopes=scopes, days=said["days"]
        )
        return _page(request, request.user, TokenForm(user=request.user), new)
    return _page(request, request.user, form, status=400 if form.errors else 200)


@require_POST
@never_cache
def revoke_api_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """Have one of one's own tokens open nothing from now on."""
    token = get_object_or_404(tokens_of(request.user).select_related("user"), pk=token_id)
    revoke_token(actor=audit.actor_of(request), token=token)
    return redirect("api_tokens")


def _page(
    request: HttpRequest, user: User, form: TokenForm, new: NewToken | None = None, status: int = 200
) -> HttpResponse:
    context = {"form": form, "new": new, "tokens": tokens_of(user), "now": timezone.now()}
    return render(request, "diagnoses/tokens.html", context, status=status)
