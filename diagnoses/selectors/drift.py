"""Whether the default model's answers are spread as they were on what they are held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, FloatField, Func, IntegerField, QuerySet, TextChoices, Value
from django.db.models.functions import Cast

from diagnoses.models import Job, ModelChange, ModelVersion, Result
from diagnoses.models.registry import ChangeKind
from diagnoses.selectors.caseload import Scope, cases_in, cases_of
from diagnoses.selectors.periods import Period
from diagnoses.selectors.population_stability import Compared, compare
from diagnoses.selectors.registry import live_model_version
from diagnoses.states import JobStatus

EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Between bins of the calibrated probability, finer at both ends, where most answers are."""
FIRST_ANSWERS = 200
MOST_ANSWERS = 5_000
"""The newest of a period; more tell nothing new, and cost time."""
_MADE_LIVE = (ChangeKind.PROMOTE, ChangeKind.ROLL_BACK, ChangeKind.SUCCEED)


class Basis(TextChoices):
    """What answers are held against."""

    CARD = "card"
    CARD_AT_PREVALENCE = "card_at_prevalence"
    FIRST_ANSWERS = "first_answers"


@dataclass(frozen=True)
class Reference:
    """How answers were spread: in each bin their count, or their weight where they were weighted."""

    basis: Basis
    edges: Sequence[float]
    counts: Sequence[float]
    size: float
    """How many plain answers are as sure as these."""
    until: datetime | None = None
    """When the last of them was asked for, where they are this site's own."""


@dataclass(frozen=True)
class ScoreDrift:
    """The default model's answers of a period beside their reference."""

    version: ModelVersion
    reference: Reference
    counts: Sequence[int]
    compared: Compared


def score_drift(scope: Scope, period: Period) -> ScoreDrift | None:
    """How the default model's newest answers of the period are spread; None without a default."""
    version = live_model_version()
    if version is None:
        return None
    reference = reference_of(version, scope)
    answers = _answers(version, scope, cases_in(scope, period))
    if reference.until:
        answers = answers.filter(created_at__gt=reference.until)
    counts = _histogram(answers.order_by("-created_at", "-id")[:MOST_ANSWERS], reference.edges)
    return ScoreDrift(version, reference, counts, compare(reference.counts, reference.size, counts))


def reference_of(version: ModelVersion, scope: Scope) -> Reference:
    """The card's validation patients; where it does not hold their answers, the first since the model reads here.

    Where the site has said how common pneumonia is, the card's normal and pneumonia patients are mixed in that way.
    """
    on_card = _on_card(version)
    return on_card if on_card else _first_answers(version, scope)


def _on_card(version: ModelVersion) -> Reference | None:
    said = version.card.get("figures", {}).get("distribution")
    if not isinstance(said, dict) or not {"edges", "normal", "pneumonia"} <= set(said):
        return None
    normal, pneumonia = said["normal"], said["pneumonia"]
    sizes = (sum(normal), sum(pneumonia))
    prevalence = settings.CXR_PREVALENCE
    if prevalence is None or not all(sizes):
        together = [a + b for a, b in zip(normal, pneumonia, strict=True)]
        return Reference(Basis.CARD, said["edges"], together, sum(together))
    # Variances of weighted means add up: so few plain answers would be as unsure (Kish, Survey Sampling, 1965).
    size = 1 / ((1 - prevalence) ** 2 / sizes[0] + prevalence**2 / sizes[1])
    shares = [
        (1 - prevalence) * a / sizes[0] + prevalence * b / sizes[1] for a, b in zip(normal, pneumonia, strict=True)
    ]
    return Reference(Basis.CARD_AT_PREVALENCE, said["edges"], [share * size for share in shares], size)


def _first_answers(version: ModelVersion, scope: Scope) -> Reference:
    made_live = ModelChange.objects.filter(version=version, kind__in=_MADE_LIVE).first()
    since = made_live.at if made_live else version.registered_at
    first = (
        _answers(version, scope, cases_of(scope))
        .filter(created_at__gte=since)
        .order_by("created_at", "id")[:FIRST_ANSWERS]
    )
    last = max(first.values_list("created_at", flat=True), default=None)
    counts = _histogram(first, EDGES)
    return Reference(Basis.FIRST_ANSWERS, EDGES, counts, sum(counts), last)


def _answers(version: ModelVersion, scope: Scope, cases: QuerySet[Job]) -> QuerySet[Job]:
    """What it answered by itself; a picture that the gate refused tells nothing of those it takes.

    What the user must not see yet is left out: of a day with one case its bin would tell it.
    """
    answers = cases.filter(model_version=version, status=JobStatus.DONE, override_code="")
    return answers.exclude(scope.hidden) if scope.hidden else answers


def _histogram(answers: QuerySet[Job], edges: Sequence[float]) -> list[int]:
    inner = Cast(Value(list(edges), output_field=ArrayField(FloatField())), ArrayField(FloatField()))
    bins = Func("probability", inner, function="width_bucket", output_field=IntegerField())
    results = Result.objects.filter(job__in=answers.values("pk")).annotate(bin=bins).order_by()
    found = dict(results.values_list("bin").annotate(count=Count("pk")))
    return [found.get(place, 0) for place in range(len(edges) + 1)]
