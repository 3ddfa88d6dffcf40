"""What a user is told of: the bell in every page's header, and all of it on a page."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from diagnoses.models import Notification
from diagnoses.models.people import NoticeKind
from diagnoses.selectors.notices import latest_notices, notices_of, unseen_count
from diagnoses.services.notifying import mark_seen


class HtmxRequest(HttpRequest):
    """A request as the middleware for htmx leaves it."""

    htmx: HtmxDetails


@dataclass(frozen=True)
class ShownNotice:
    """A notice in words. It says nothing of a patient."""

    notice: Notification

    @property
    def words(self) -> str:
        """What it is."""
        kind = self.notice.kind
        if kind == NoticeKind.BATCH_DONE and self.notice.study_id:
            return _("A study that you sent is answered")
        return str(self.notice.get_kind_display())

    @property
    def address(self) -> str:
        """Where to go with it."""
        if self.notice.study_id:
            return reverse("study", args=[self.notice.study_id])
        if self.notice.kind == NoticeKind.GLASS_BROKEN:
            return reverse("admin:diagnoses_emergencyaccess_change", args=[self.notice.about])
        of_export = self.notice.kind in (NoticeKind.EXPORT_DONE, NoticeKind.EXPORT_FAILED)
        return reverse("exports" if of_export else "worklist")


@require_safe
@never_cache
def notices(request: HtmxRequest) -> HttpResponse:
    """The newest notices: a page, or what the bell holds."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    unseen = unseen_count(request.user)
    context = {
        "notices": [ShownNotice(notice) for notice in latest_notices(request.user)],
        "unseen": unseen,
        "is_news": request.GET.get("known") != str(unseen),
    }
    template = "diagnoses/_bell_list.html" if request.htmx else "diagnoses/notices.html"
    return render(request, template, context)


@require_POST
@never_cache
def notices_seen(request: HttpRequest) -> HttpResponse:
    """All notices count as seen; or the one that was chosen does, which leads to what it is about."""
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker; nobody else gets past the sign-in
    chosen = request.POST.get("notice", "")
    if not chosen:
        mark_seen(user=request.user)
        return HttpResponseRedirect(reverse("notices"))
    key = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 18 else 0
    notice = get_object_or_404(notices_of(request.user), pk=key)
    mark_seen(user=request.user, notice_id=notice.pk)
    return HttpResponseRedirect(ShownNotice(notice).address)
