"""The models that read here, in plain words, after Model Cards (Mitchell et al., FAT* 2019) and CLAIM 2024."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses.models import ModelVersion
from diagnoses.selectors.cards import all_model_versions, changes_of, find_model_version
from diagnoses.views import figures

_SPLIT_PARTS = (
    ("train", _("To learn from")),
    ("validation", _("To choose its limits on")),
    ("holdout", _("To be measured on, unseen")),
)


@require_safe
@never_cache
def model_list(request: HttpRequest) -> HttpResponse:
    """All models, those that read here first."""
    versions = sorted(all_model_versions(), key=lambda version: (not version.is_live, not version.available))
    rows = [{"version": version, "figures": figures.main_figures(version)} for version in versions]
    return render(request, "diagnoses/models.html", {"rows": rows})


@require_safe
@never_cache
def model_page(request: HttpRequest, name: str, version: str) -> HttpResponse:
    """One version: what it is for, what it learnt from, how well it does, and where it must not be used."""
    try:
        model = find_model_version(f"{name}@{version}")
    except ModelVersion.DoesNotExist as error:
        raise Http404 from error
    return render(request, "diagnoses/model.html", _context_of(model))


def _context_of(model: ModelVersion) -> dict[str, object]:
    return {
        "model": model,
        "card": model.card,
        "training": model.card.get("training", {}),
        "split": _split_of(model),
        "main_rows": figures.main_rows(model),
        "band_rows": figures.band_rows(model),
        "gate_rows": figures.rows_of(model, "gate"),
        "stability_rows": figures.rows_of(model, "stability"),
        "heatmap_rows": figures.rows_of(model, "heatmap"),
        "worth": figures.worth_at(model, settings.CXR_PREVALENCE),
        "prevalence": settings.CXR_PREVALENCE,
        "refuses_by_age": settings.CXR_OUTSIDE_AGE == "refuse",
        "changes": changes_of(model),
    }


def _split_of(model: ModelVersion) -> list[dict[str, object]]:
    """How many images and patients served which end; nothing where the card does not say."""
    split = model.card.get("training", {}).get("split", {})
    return [{"use": use, **split[part]} for part, use in _SPLIT_PARTS if isinstance(split.get(part), dict)]
