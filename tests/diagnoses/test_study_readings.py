"""What stands beside an answer: how sure it is, what to mind, who overrode what, and what other models said."""

import re
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, Permission, User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from diagnoses.imaging.errors import GATE_FAULTS, ImageFault
from diagnoses.models import Job, ModelVersion, RejectedFile, Result, Study
from diagnoses.models.job import INDETERMINATE_WORDS, WARNING_WORDS, Indeterminacy, Purpose, ReadingWarning
from diagnoses.roles import Role
from diagnoses.selectors.predictive import predictive_values
from diagnoses.states import JobStatus
from diagnoses.templatetags.percent import percent
from tests.diagnoses.factory import make_job, make_job_of, make_model_version, make_result, make_study, queries_of

OVERRIDDEN = {"override_code": "not_frontal", "override_reason": "It is AP <b>", "override_by": "clinician"}


@pytest.fixture
def xception(model_version: ModelVersion) -> ModelVersion:
    """Another model that can read here."""
    return make_model_version("xception", "1.0.0")


def page_of(browser: Client, study: Study) -> str:
    response = browser.get(reverse("study", args=[study.pk]))
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def badges_in(page: str) -> list[str]:
    return re.findall(r'<span class="badge verdict[^"]*">.*?</svg>([^<]+)</span>', page)


def read(study: Study, version: ModelVersion, **result: Any) -> Job:
    """A done job with a result of these fields."""
    job = make_job(study, version, JobStatus.RUNNING)
    make_result(job, **result)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.DONE, lease_until=None)
    return job


def read_again(job: Job, version: ModelVersion, **result: Any) -> Job:
    """A later reading of the same picture, by another version."""
    other = make_job_of(job.image, version, JobStatus.RUNNING, purpose=Purpose.REREAD)
    make_result(other, **result)
    Job.objects.filter(pk=other.pk).update(status=JobStatus.DONE, lease_until=None)
    return other


@pytest.fixture
def study(clinician: User, model_version: ModelVersion) -> Study:
    return make_study(clinician, model_version)


@pytest.mark.parametrize("reason", Indeterminacy)
@pytest.mark.parametrize(("label", "word"), [("NORMAL", "Normal"), ("PNEUMONIA", "Pneumonia")])
def test_an_unsure_answer_says_that_it_cannot_say_why_and_what_the_threshold_says(
    browser: Client, study: Study, model_version: ModelVersion, reason: Indeterminacy, label: str, word: str
) -> None:
    read(study, model_version, label=label, probability=0.47, indeterminate_reason=reason)
    page = page_of(browser, study)
    assert badges_in(page) == ["Cannot say"]
    assert '<dd class="h3 mb-0">Cannot say</dd>' in page
    assert str(INDETERMINATE_WORDS[reason]) in page
    assert f"By the threshold alone it would be <strong>{word}</strong>." in page
    assert "<dt>Cannot say between</dt><dd>40.0 % and 60.0 %</dd>" in page


def test_the_three_answers_differ_in_words_mark_and_frame(
    browser: Client, study: Study, model_version: ModelVersion
) -> None:
    read(study, model_version, label="NORMAL", probability=0.1)
    read(study, model_version)
    read(study, model_version, indeterminate_reason="band")
    sections = page_of(browser, study).split("<section")[1:]
    looks = {re.search(r'class="badge verdict (\S+)"><svg[^>]*><path d="([^"]+)"/>', part) for part in sections}
    found = [look.groups() for look in looks if look]
    assert len({name for name, _ in found}) == len({mark for _, mark in found}) == 3


def test_a_result_from_before_there_was_a_band_shows_none(
    browser: Client, study: Study, model_version: ModelVersion
) -> None:
    job = read(study, model_version)
    Result.objects.filter(pk=job.pk).update(band_low=0.45, band_high=0.45)
    assert "Cannot say" not in page_of(browser, study)


@pytest.mark.parametrize("code", ReadingWarning)
def test_each_warning_is_told_in_words(
    browser: Client, study: Study, model_version: ModelVersion, code: ReadingWarning
) -> None:
    read(study, model_version, warnings=[code])
    assert f"<strong>Mind:</strong> {WARNING_WORDS[code]}" in page_of(browser, study)


def test_an_overridden_refusal_stands_beside_the_answer_with_who_and_why(
    browser: Client, study: Study, model_version: ModelVersion
) -> None:
    read(study, model_version, **OVERRIDDEN)
    raw = browser.get(reverse("study", args=[study.pk])).content.decode()
    assert "Refused at first (no frontal view)." in raw
    assert "clinician overrode that: “It is AP &lt;b&gt;”" in raw


@pytest.mark.parametrize("code", ImageFault)
def test_a_refusal_can_be_overridden_where_the_gate_made_it_and_only_there(
    browser: Client, study: Study, model_version: ModelVersion, code: ImageFault
) -> None:
    job = make_job(study, model_version, JobStatus.REFUSED, error_code=code, error_message="Words.")
    page = page_of(browser, study)
    assert (f'action="{reverse("override", args=[job.pk])}#image-0"' in page) is (code in GATE_FAULTS)


def test_a_file_that_was_never_taken_in_offers_nothing(
    browser: Client, study: Study, model_version: ModelVersion, xception: ModelVersion
) -> None:
    RejectedFile.objects.create(study=study, position=0, filename="a", code="not_frontal", message="Words.")
    page = page_of(browser, study)
    assert badges_in(page) == ["Refused"]
    assert "Override the refusal" not in page
    assert "Read again" not in page


def test_who_may_not_override_is_not_invited_to(browser: Client, study: Study, model_version: ModelVersion) -> None:
    make_job(study, model_version, JobStatus.REFUSED, error_code="inverted")
    Group.objects.get(name=Role.CLINICIAN).permissions.remove(Permission.objects.get(codename="override_refusal"))
    assert "Override the refusal" not in page_of(browser, study)


@pytest.mark.parametrize("status", JobStatus)
def test_another_model_is_offered_once_the_reading_has_ended(
    browser: Client, study: Study, model_version: ModelVersion, xception: ModelVersion, status: JobStatus
) -> None:
    make_model_version("gone", "1.0.0", available=False)
    make_job(study, model_version, status)
    offered = re.findall(r'<option value="([^"@]+@[^"]+)"', page_of(browser, study))
    ended = status in (JobStatus.DONE, JobStatus.REFUSED, JobStatus.FAILED)
    assert offered == (["xception@1.0.0"] if ended else [])


def test_a_model_that_has_read_the_image_is_not_offered_again(
    browser: Client, study: Study, model_version: ModelVersion, xception: ModelVersion
) -> None:
    read_again(read(study, model_version), xception)
    assert "Another opinion" not in page_of(browser, study)


def test_the_latest_reading_is_the_answer_and_the_one_before_stands_beside_it(
    browser: Client, study: Study, model_version: ModelVersion, xception: ModelVersion
) -> None:
    read_again(read(study, model_version), xception, label="NORMAL", probability=0.2)
    page = page_of(browser, study)
    assert '<dt>Answer</dt><dd class="h3 mb-0">Normal</dd>' in page
    others = page[page.index("Other readings") :]
    assert "mobilenet_v2 1.0.0" in others
    assert badges_in(others) == ["Pneumonia"]
    assert "93.1 %" in others


def test_a_reading_on_its_way_hides_no_answer_that_is_there(
    browser: Client, study: Study, model_version: ModelVersion, xception: ModelVersion
) -> None:
    make_job_of(read(study, model_version).image, xception, purpose=Purpose.REREAD)
    assert badges_in(page_of(browser, study)) == ["Waiting", "Pneumonia"]


def test_a_shadows_reading_is_shown_to_nobody(
    browser: Client, study: Study, model_version: ModelVersion, xception: ModelVersion
) -> None:
    shadow = make_job_of(read(study, model_version).image, xception, JobStatus.DONE, purpose=Purpose.SHADOW)
    page = page_of(browser, study)
    assert "Other readings" not in page
    assert str(shadow.pk) not in page
    assert browser.get(reverse("heatmap", args=[shadow.pk])).status_code == 404


@pytest.mark.parametrize(
    ("other", "disagree"),
    [
        ({"label": "NORMAL", "probability": 0.2}, True),
        ({"indeterminate_reason": "band"}, True),
        ({"probability": 0.7}, False),
    ],
)
def test_models_that_come_to_other_answers_are_pointed_out(
    browser: Client,
    study: Study,
    model_version: ModelVersion,
    xception: ModelVersion,
    other: dict[str, Any],
    disagree: bool,
) -> None:
    read_again(read(study, model_version), xception, **other)
    assert ("The models do not agree on this image." in page_of(browser, study)) is disagree


@pytest.mark.parametrize(("label", "probability"), [("PNEUMONIA", 0.9), ("NORMAL", 0.1)])
def test_the_share_of_such_answers_that_are_right_at_the_sites_prevalence_is_told(
    browser: Client,
    study: Study,
    model_version: ModelVersion,
    settings: LazySettings,
    label: str,
    probability: float,
) -> None:
    settings.CXR_PREVALENCE = 0.12
    read(study, model_version, label=label, probability=probability)
    values = predictive_values(0.95, 0.95, 0.12)
    share = values.ppv if label == "PNEUMONIA" else values.npv
    assert share is not None
    word = label.capitalize()
    assert (
        f"Where 12.0 % of patients have pneumonia, as here, about {percent(share)} of the answers “{word}” are right."
    ) in page_of(browser, study)


@pytest.mark.parametrize(
    "result", [{"indeterminate_reason": "band"}, {"warnings": ["outside_age"]}], ids=["unsure", "warned of"]
)
def test_an_answer_for_which_the_models_figures_do_not_hold_gets_no_share(
    browser: Client, study: Study, model_version: ModelVersion, settings: LazySettings, result: dict[str, Any]
) -> None:
    settings.CXR_PREVALENCE = 0.12
    read(study, model_version, **result)
    assert "as here, about" not in page_of(browser, study)


def test_a_site_that_has_not_said_its_prevalence_gets_no_share(browser: Client, done_study: Study) -> None:
    assert "as here, about" not in page_of(browser, done_study)


def test_many_images_are_summed_up_with_those_that_need_a_person_first(
    browser: Client, study: Study, model_version: ModelVersion
) -> None:
    read(study, model_version, label="NORMAL", probability=0.1)
    make_job(study, model_version, JobStatus.REFUSED)
    read(study, model_version, indeterminate_reason="unstable")
    read(study, model_version)
    page = page_of(browser, study)
    glance = page[page.index('id="glance"') : page.index("</nav>", page.index('id="glance"'))]
    assert badges_in(glance) == ["Pneumonia", "Cannot say", "Refused", "Normal"]
    assert re.findall(r'href="(#image-\d)"', glance) == ["#image-3", "#image-2", "#image-1", "#image-0"]


def test_a_single_image_speaks_for_itself(browser: Client, done_study: Study) -> None:
    assert '<dl class="glance' not in page_of(browser, done_study)


def state_in(page: str) -> str:
    [state] = re.findall(r'data-state="([^"]+)"', page)
    return str(state)


def test_whatever_happens_to_an_image_changes_the_state_that_the_page_compares(
    browser: Client, study: Study, model_version: ModelVersion, xception: ModelVersion
) -> None:
    job = make_job(study, model_version, JobStatus.REFUSED, error_code="inverted")
    states = [state_in(page_of(browser, study))]
    Job.objects.filter(pk=job.pk).update(status=JobStatus.REFUSED, token=2)  # refused anew after an override
    states.append(state_in(page_of(browser, study)))
    other = make_job_of(job.image, xception, purpose=Purpose.REREAD)
    states.append(state_in(page_of(browser, study)))
    Job.objects.filter(pk=other.pk).update(status=JobStatus.FAILED, ended_at=Now())
    states.append(state_in(page_of(browser, study)))
    assert len(set(states)) == 4


def test_more_readings_take_no_more_queries(
    browser: Client, clinician: User, model_version: ModelVersion, xception: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_PREVALENCE = 0.12
    counts = []
    for images in (2, 8):
        study = make_study(clinician, model_version)
        for _ in range(images):
            read_again(read(study, model_version), xception, label="NORMAL", probability=0.2)
        counts.append(len(queries_of(lambda study=study: page_of(browser, study))))  # type: ignore[misc]
    assert counts[0] == counts[1]
