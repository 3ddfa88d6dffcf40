"""Whether an alarm comes where answers have moved, and hardly ever where they have not."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from numpy.typing import NDArray
from scipy.stats import chi2

from diagnoses.models import ModelChange, ModelVersion, Profile
from diagnoses.models.registry import ChangeKind, Standing
from diagnoses.selectors.caseload import Scope, scope_of
from diagnoses.selectors.drift import EDGES, FIRST_ANSWERS, Basis, reference_of, score_drift
from diagnoses.selectors.periods import Period
from diagnoses.selectors.population_stability import Drift, chi_squared_above, compare, stability_index
from tests.diagnoses.caseload import make_answers
from tests.diagnoses.factory import make_model_version
from workers.training.distribution import EDGES as EDGES_OF_CARDS

SITE = Scope(None, may_open=True)
MADE_LIVE = datetime(2026, 3, 1, tzinfo=UTC)
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


def answers(rng: np.random.Generator, count: int, prevalence: float = 0.5) -> NDArray[np.float64]:
    """Probabilities as a good model gives them: most near both ends."""
    is_pneumonia = rng.random(count) < prevalence
    return np.where(is_pneumonia, rng.beta(4, 0.5, count), rng.beta(0.5, 4, count))


def binned(probabilities: NDArray[np.float64]) -> list[int]:
    return [int(n) for n in np.bincount(np.digitize(probabilities, EDGES), minlength=len(EDGES) + 1)]


# The index


def test_the_index_of_two_like_samples_is_nothing_whatever_their_size() -> None:
    assert stability_index([100, 100, 100], [100, 100, 100]) == 0
    assert stability_index([1000, 1000], [100, 100]) == pytest.approx(0, abs=1e-9)


def test_the_index_is_that_of_its_formula() -> None:
    then, now = np.array([50.5, 150.5]) / 201, np.array([100.5, 100.5]) / 201
    assert stability_index([50, 150], [100, 100]) == pytest.approx(float(((now - then) * np.log(now / then)).sum()))


def test_an_empty_bin_does_not_make_it_infinite() -> None:
    assert 0 < stability_index([0, 200], [20, 180]) < 1


@pytest.mark.parametrize("freedom", [6, 9, 19])
@pytest.mark.parametrize("chance", [0.05, 0.01, 0.001])
def test_the_quantile_is_near_the_exact_one(chance: float, freedom: int) -> None:
    assert chi_squared_above(chance, freedom) == pytest.approx(chi2.isf(chance, freedom), rel=0.01)


@pytest.mark.parametrize(("then", "now"), [(99, 500), (500, 99), (0, 0)])
def test_too_few_answers_say_nothing(then: int, now: int) -> None:
    found = compare([then, 0], then, [0, now])
    assert (found.drift, found.index) == (Drift.TOO_FEW, None)


@pytest.mark.parametrize(("then", "now"), [(200, 100), (200, 200), (200, 1000), (545, 300)])
def test_where_nothing_has_changed_an_alarm_is_rare(then: int, now: int) -> None:
    rng = np.random.default_rng(17)
    rounds = 4_000
    found = [compare(binned(answers(rng, then)), then, binned(answers(rng, now))).drift for _ in range(rounds)]
    assert found.count(Drift.ALARM) <= 0.002 * rounds
    assert found.count(Drift.WATCH) <= 0.015 * rounds


@pytest.mark.parametrize("shifted", ["prevalence", "scale"])
def test_where_answers_have_moved_far_an_alarm_comes(shifted: str) -> None:
    rng = np.random.default_rng(18)
    found = []
    for _ in range(300):
        now = answers(rng, 400, 0.9) if shifted == "prevalence" else answers(rng, 400) ** 0.3
        found.append(compare(binned(answers(rng, 200)), 200, binned(now)).drift)
    assert found.count(Drift.ALARM) >= 0.95 * len(found)


def test_a_smaller_move_of_many_answers_is_watched() -> None:
    rng = np.random.default_rng(19)
    found = compare(binned(answers(rng, 5000)), 5000, binned(answers(rng, 5000, 0.68)))
    assert found.drift is Drift.WATCH


# What answers are held against


def card_figures(normal: Sequence[int], pneumonia: Sequence[int]) -> dict[str, object]:
    return {"distribution": {"edges": list(EDGES_OF_CARDS), "normal": list(normal), "pneumonia": list(pneumonia)}}


@pytest.fixture
def live(db: None) -> ModelVersion:
    """The default, whose card does not say how its answers are spread."""
    version = make_model_version(standing=Standing.LIVE)
    ModelChange.objects.create(version=version, kind=ChangeKind.PROMOTE, by="site", reason="First.", at=MADE_LIVE)
    return version


@pytest.mark.django_db
def test_a_card_with_its_distribution_is_the_reference() -> None:
    normal, pneumonia = [90, 0, 0, 0, 10, 0, 0, 0, 0, 0], [0, 0, 0, 0, 20, 0, 0, 0, 0, 180]
    version = make_model_version(figures=card_figures(normal, pneumonia))
    reference = reference_of(version, SITE)
    assert (reference.basis, reference.size) == (Basis.CARD, 300)
    assert list(reference.counts) == [90, 0, 0, 0, 30, 0, 0, 0, 0, 180]


@pytest.mark.django_db
def test_it_is_mixed_as_the_site_says_that_pneumonia_is_common(settings: LazySettings) -> None:
    settings.CXR_PREVALENCE = 0.1
    normal, pneumonia = [90, 0, 0, 0, 10, 0, 0, 0, 0, 0], [0, 0, 0, 0, 20, 0, 0, 0, 0, 180]
    reference = reference_of(make_model_version(figures=card_figures(normal, pneumonia)), SITE)
    assert reference.basis is Basis.CARD_AT_PREVALENCE
    shares = [count / sum(reference.counts) for count in reference.counts]
    assert shares[0] == pytest.approx(0.9 * 0.9)
    assert shares[9] == pytest.approx(0.1 * 0.9)
    assert shares[4] == pytest.approx(0.1)
    assert reference.size == pytest.approx(sum(reference.counts)) == pytest.approx(1 / (0.81 / 100 + 0.01 / 200))


@pytest.mark.django_db
def test_without_it_the_first_answers_here_are_and_no_later_ones(live: ModelVersion, clinician: User) -> None:
    make_answers(clinician, live, MADE_LIVE - timedelta(days=1), [0.5] * 50)
    make_answers(clinician, live, MADE_LIVE + timedelta(hours=1), [0.001] * FIRST_ANSWERS)
    make_answers(clinician, live, MADE_LIVE + timedelta(days=1), [0.999] * 150)
    reference = reference_of(live, SITE)
    assert (reference.basis, reference.size) == (Basis.FIRST_ANSWERS, FIRST_ANSWERS)
    assert list(reference.counts) == [FIRST_ANSWERS] + [0] * len(EDGES)
    assert reference.until == MADE_LIVE + timedelta(hours=1, seconds=FIRST_ANSWERS - 1)
    found = score_drift(SITE, MARCH)
    assert found
    assert list(found.counts) == [0] * len(EDGES) + [150]
    assert found.compared.drift is Drift.ALARM


@pytest.mark.django_db
def test_like_answers_raise_no_alarm_and_a_clinician_is_held_against_their_own(
    live: ModelVersion, clinician: User, outsider: User
) -> None:
    rng = np.random.default_rng(20)
    make_answers(clinician, live, MADE_LIVE + timedelta(hours=1), answers(rng, 500).tolist())
    make_answers(outsider, live, MADE_LIVE + timedelta(days=1), [0.5] * 500)
    own, site = score_drift(Scope(clinician.pk, may_open=True), MARCH), score_drift(SITE, MARCH)
    assert own
    assert site
    assert (own.compared.drift, sum(own.counts)) == (Drift.NONE, 300)
    assert (site.compared.drift, sum(site.counts)) == (Drift.ALARM, 800)


@pytest.mark.django_db
def test_a_new_default_begins_anew(live: ModelVersion, clinician: User) -> None:
    make_answers(clinician, live, MADE_LIVE + timedelta(hours=1), [0.5] * 300)
    ModelVersion.objects.update(standing=Standing.CANDIDATE)
    make_model_version("other", standing=Standing.LIVE)
    found = score_drift(SITE, MARCH)
    assert found
    assert (found.compared.drift, sum(found.counts)) == (Drift.TOO_FEW, 0)


@pytest.mark.django_db
def test_without_a_default_there_is_nothing_to_compare() -> None:
    assert score_drift(SITE, MARCH) is None


@pytest.mark.django_db
def test_every_probability_is_in_the_bin_that_training_puts_it_in(live: ModelVersion, clinician: User) -> None:
    edges_and_ends = [0.0, *EDGES, 1.0]
    make_answers(clinician, live, MADE_LIVE + timedelta(hours=1), edges_and_ends)
    assert list(reference_of(live, SITE).counts) == binned(np.array(edges_and_ends))
    assert EDGES == EDGES_OF_CARDS


@pytest.mark.django_db
def test_who_reads_first_learns_of_no_answer_from_its_bin(live: ModelVersion, clinician: User) -> None:
    make_answers(clinician, live, MADE_LIVE + timedelta(hours=1), [0.9] * 3)
    assert reference_of(live, scope_of(clinician)).size == 3
    Profile.objects.create(user=clinician, reads_first=True)
    found = score_drift(scope_of(clinician), MARCH)
    assert found
    assert (sum(found.counts), found.reference.size) == (0, 0)
