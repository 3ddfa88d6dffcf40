"""Two studies side by side."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses import audit
from diagnoses.forms import CompareForm
from diagnoses.imaging.heatmap import Palette
from diagnoses.models import Reading, Study
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.comparing import pairs_of
from diagnoses.selectors.hiding import covered_readings, hidden_images
from diagnoses.selectors.signed import final_readings
from diagnoses.selectors.studies import StudyState, study_state
from diagnoses.selectors.viewers import Viewer
from diagnoses.views.shown import ShownImage, shown_images


@dataclass(frozen=True)
class Side:
    """One of the two studies as it is shown."""

    state: StudyState
    images: list[tuple[ShownImage, bool, Reading | None]]
    """Each with whether its answer is hidden, and what was signed of it where it is not."""


@require_safe
@never_cache
def compare(request: HttpRequest) -> HttpResponse:
    """The studies `a` and `b`. `?study=` twice, as ticked in a list, leads there."""
    ticked = list(dict.fromkeys(request.GET.getlist("study")))
    if len(ticked) == 2:
        return redirect(f"{reverse('compare')}?a={ticked[0]}&b={ticked[1]}")
    form = CompareForm(request.GET)
    if not form.is_valid():
        words = _("Two different studies can be compared. Tick two of them in the history.")
        context = {"title": _("Nothing to compare"), "words": words, "back": reverse("history")}
        return render(request, "diagnoses/problem.html", context, status=400)
    states = sorted(
        (_visible_state(request.user, form.cleaned_data[name]) for name in ("a", "b")),
        key=lambda state: (state.study.created_at, state.study.pk),
    )
    for state, other in (states, states[::-1]):
        beside = str(other.study.pk)
        audit.record(AuditAction.STUDY_VIEWED, audit.actor_of(request), state.study, compared_with=beside)
    return render(request, "diagnoses/compare.html", _context(request.user, *states))


def _context(user: Viewer, one: StudyState, other: StudyState) -> dict[str, object]:
    sides = [_side(user, one), _side(user, other)]
    pairs = pairs_of(one.images, other.images)
    hides = any(is_hidden for side in sides for _shown, is_hidden, _signed in side.images)
    return {
        "sides": sides,
        "pairs": [] if hides else pairs,
        "hides": hides,
        "comparable": all(pair.is_comparable for pair in pairs),
        "days": (other.study.created_at - one.study.created_at).days,
        "same_patient": one.study.subject_id == other.study.subject_id and one.study.subject.index is not None,
        "palettes": list(Palette),
        "prevalence": settings.CXR_PREVALENCE,
    }


def _side(user: Viewer, state: StudyState) -> Side:
    images = shown_images(user, state, [])
    ids = {image.job.image_id for image in state.images if image.job}
    hidden, signed = hidden_images(user, ids), final_readings(ids - covered_readings(user, ids))
    rows: list[tuple[ShownImage, bool, Reading | None]] = []
    for shown in images:
        key = shown.image.job.image_id if shown.image.job else None
        rows.append((shown, key in hidden, signed.get(key) if key else None))
    return Side(state, rows)


def _visible_state(user: Viewer, study_id: uuid.UUID) -> StudyState:
    try:
        return study_state(user, study_id)
    except Study.DoesNotExist as error:
        raise Http404 from error
