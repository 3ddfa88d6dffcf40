"""Every page in every language, and what workers said in the words of whoever reads it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.template.loader import get_template
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone, translation
from rest_framework.test import APIClient

from diagnoses.export import csv_lines
from diagnoses.imaging import intake
from diagnoses.imaging.errors import ImageError, ImageFault
from diagnoses.language import in_words
from diagnoses.models import Job, ModelVersion, RejectedFile, Study
from diagnoses.selectors.cases import Case
from diagnoses.services.jobs import NoResult, end_jobs
from diagnoses.states import JobStatus, Move
from tests import pictures
from tests.access import addresses, open_house
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import claim_of, make_job, make_job_of, make_result, make_study
from tests.language.literals import shown_words

pytestmark = pytest.mark.django_db

LANGUAGES = [code for code, _ in settings.LANGUAGES]
VIETNAMESE = {"Accept-Language": "vi"}

SAME_IN_EVERY_LANGUAGE = {"English", "Search", "study", "image", "job", "export", "Export"}
"""A language's own name, what Django's panel writes beside its magnifying glass, codes of the audit,
and DICOM's own names of events."""
SMALL = "Ảnh có 90 \N{MULTIPLICATION SIGN} 80 điểm ảnh; mỗi cạnh cần ít nhất 100"

PANEL = ["study", "job", "modelversion", "modelchange", "worker", "auditevent"]


@pytest.fixture
def told(clinician: User, model_version: ModelVersion, xception: ModelVersion) -> Study:
    """A study that shows everything that a study can show."""
    study = make_study(clinician, model_version, JobStatus.DONE, JobStatus.REFUSED, JobStatus.FAILED, patient_sex="F")
    make_result(make_job(study, model_version, JobStatus.QUEUED), indeterminate_reason="band", probability=0.5)
    doubtful = make_job(study, model_version, JobStatus.QUEUED)
    make_result(doubtful, warnings=["outside_age", "inverted"], override_code="inverted", override_reason="?")
    Job.objects.filter(result__isnull=False).update(status=JobStatus.DONE)
    make_job(study, model_version, JobStatus.QUEUED)
    make_job_of(study.images.earliest("position"), xception, JobStatus.REFUSED)
    return study


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("superuser")


def get(browser: Client, url: str, language: str) -> Any:
    return browser.get(url, headers={"accept-language": language})


def pages_of(told: Study, model_version: ModelVersion, superuser: User, language: str) -> Iterator[tuple[str, Any]]:
    """Every page that a GET gives, with what it was asked for."""
    clinician = browser_of(told.submitted_by)
    house = open_house(model_version)
    sender = browser_of(house.people["sender"])
    for place in addresses():
        if not place.is_api and not place.route.startswith("admin/") and place.name != "study_events":
            page = get(sender, house.path(place), language)
            if page.status_code == 200:
                yield place.name, page
    yield "sign_in", get(Client(), reverse("sign_in"), language)
    yield "study", get(clinician, reverse("study", args=[told.pk]), language)
    yield "nothing", get(clinician, "/nothing/", language)
    panel = browser_of(superuser)
    yield "admin:index", get(panel, reverse("admin:index"), language)
    for name in PANEL:
        yield name, get(panel, reverse(f"admin:diagnoses_{name}_changelist"), language)
    for job in Job.objects.filter(image__study=told):
        yield "a job", get(panel, reverse("admin:diagnoses_job_change", args=[job.pk]), language)
    yield "a study", get(panel, reverse("admin:diagnoses_study_change", args=[told.pk]), language)
    yield "a version", get(panel, reverse("admin:diagnoses_modelversion_change", args=[model_version.pk]), language)
    yield "a shadow", get(panel, reverse("admin:diagnoses_modelversion_shadow", args=[model_version.pk]), language)
    yield "users", get(panel, reverse("admin:auth_user_changelist"), language)


def is_page(response: Any) -> bool:
    return not response.streaming and response["Content-Type"].startswith("text/html") and b"<html" in response.content


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_says_which_language_it_is_in(
    told: Study, model_version: ModelVersion, superuser: User, language: str
) -> None:
    pages = [(what, page) for what, page in pages_of(told, model_version, superuser, language) if is_page(page)]
    assert len(pages) > 20
    assert [what for what, page in pages if f'<html lang="{language}"' not in page.content.decode()] == []


def test_no_page_says_in_english_what_there_are_vietnamese_words_for(
    told: Study, model_version: ModelVersion, superuser: User
) -> None:
    left: dict[str, set[str]] = {}
    for what, page in pages_of(told, model_version, superuser, "vi"):
        if is_page(page):
            with translation.override("vi"):
                said = set(shown_words(page.content.decode())) - SAME_IN_EVERY_LANGUAGE
                left[what] = {words for words in said if _has_other_words(words)}
    assert len(left) > 10
    assert {
        what: words - SAME_IN_EVERY_LANGUAGE for what, words in left.items() if words - SAME_IN_EVERY_LANGUAGE
    } == {}


def _has_other_words(words: str) -> bool:
    return translation.gettext(words.replace("%", "%%")).replace("%%", "%") != words


def test_numbers_and_dates_are_written_as_the_language_writes_them(told: Study, model_version: ModelVersion) -> None:
    url = reverse("model", args=[model_version.name, model_version.version])
    english, vietnamese = (get(browser_of(told.submitted_by), url, code).content.decode() for code in ("en", "vi"))
    registered = timezone.localtime(model_version.registered_at)
    assert "95.0 %" in english
    assert f"{registered:%Y-%m-%d}" in english
    assert "95,0 %" in vietnamese
    assert f"{registered:%d/%m/%Y}" in vietnamese
    assert "95.0 %" not in vietnamese


def test_a_drawing_is_the_same_in_every_language(told: Study) -> None:
    for language in LANGUAGES:
        page = get(browser_of(told.submitted_by), reverse("study", args=[told.pk]), language).content.decode()
        assert 'cx="93.12%"' in page


def test_a_refusal_of_a_worker_is_said_in_the_readers_language_with_its_numbers(
    api: APIClient, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.RUNNING)
    job = Job.objects.get(image__study=study)
    with pytest.raises(ImageError) as caught:
        intake.inspect(pictures.png(pictures.phantom(90, 80)), 10_000_000)
    error = caught.value
    assert end_jobs(ends=[(claim_of(job), NoResult(Move.REFUSE, error.fault, error.message, error.said))])
    assert SMALL in _message(api, study, "vi")
    assert _message(api, study, "en") == error.message
    assert "The picture has 90 x 80 pixels; at least 100 on each side are needed" in error.message
    for language, words in (("en", "The picture has 90 x 80 pixels"), ("vi", SMALL)):
        page = get(browser_of(clinician), reverse("study", args=[study.pk]), language)
        assert words in page.content.decode()


def test_a_fault_of_the_server_is_said_in_the_readers_language(
    api: APIClient, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.RUNNING)
    words = "The reading failed on the server. Your administrator can look into it and retry."
    job = Job.objects.get(image__study=study)
    assert end_jobs(ends=[(claim_of(job), NoResult(Move.FAIL, "internal_error", words))])
    assert _message(api, study, "en") == words
    assert _message(api, study, "vi").startswith("Máy chủ đọc không thành công.")


def test_a_file_that_was_not_taken_is_spoken_of_in_the_senders_language(
    api: APIClient, model_version: ModelVersion
) -> None:
    answer = _send(api, pictures.png(pictures.phantom(90, 80)))
    assert answer.json()["images"][0]["error"]["message"].startswith(SMALL)


def test_a_file_that_was_not_taken_beside_one_that_was_keeps_its_words_in_english_and_in_parts(
    api: APIClient, model_version: ModelVersion, radiograph_png: bytes
) -> None:
    answer = _send(api, pictures.png(pictures.phantom(90, 80)), radiograph_png)
    study = Study.objects.get(pk=answer.json()["id"])
    rejected = RejectedFile.objects.get(study=study)
    assert rejected.message.startswith("The picture has 90 x 80 pixels")
    assert rejected.said["facts"] == {"width": 90, "height": 80, "least": 100}
    assert _message(api, study, "vi").startswith(SMALL)


def test_a_message_of_before_its_parts_were_kept_is_shown_as_it_is() -> None:
    with translation.override("vi"):
        assert in_words("Words of an old worker.", {}) == "Words of an old worker."
        assert in_words("", {}) == ""


def test_a_template_of_a_newer_worker_does_no_harm() -> None:
    assert in_words("", {"template": "{a} {b.__class__} {c:>99999999}", "facts": {"a": 1}}) == (
        "1 {b.__class__} {c:>99999999}"
    )


def test_an_error_without_facts_is_its_words() -> None:
    error = ImageError(ImageFault.DAMAGED, "It has {braces}.")
    assert (error.message, error.said) == ("It has {braces}.", None)


@pytest.mark.parametrize(("language", "words"), [("en", "Something went wrong"), ("vi", "Máy chủ gặp sự cố")])
def test_the_page_of_a_fault_needs_no_database_to_speak_a_language(language: str, words: str) -> None:
    with translation.override(language):
        page = HttpResponse(get_template("500.html").render({}, RequestFactory().get("/"))).content.decode()
    assert words in page
    assert f'<html lang="{language}"' in page


def test_the_api_refuses_in_the_language_that_was_asked_for(api: APIClient, auditor: User) -> None:
    answer = api.post(reverse("api_studies"), {}, format="multipart", headers=VIETNAMESE)
    assert answer.json()["detail"] == "Chưa có tệp nào được gửi. Hãy chọn ít nhất một tệp PNG, JPEG hoặc DICOM."
    assert APIClient().get(reverse("api_studies"), headers=VIETNAMESE).json()["detail"].startswith("Chưa có thông tin")


def test_the_csv_is_the_same_in_every_language(told: Study) -> None:
    said = []
    for language in LANGUAGES:
        with translation.override(language):
            said.append("".join(csv_lines(Case(job) for job in Job.objects.filter(image__study=told).order_by("pk"))))
    assert said[0] == said[1]
    assert ",refused," in said[0]


def _message(api: APIClient, study: Study, language: str) -> str:
    answer = api.get(reverse("api_study", args=[study.pk]), headers={"Accept-Language": language}).json()
    return next(str(image["error"]["message"]) for image in answer["images"] if image["error"])


def _send(api: APIClient, *files: bytes) -> Any:
    """Send files as one study, in Vietnamese."""
    sent = [SimpleUploadedFile(f"chest-{place}.png", data) for place, data in enumerate(files)]
    return api.post(reverse("api_studies"), {"files": sent}, format="multipart", headers=VIETNAMESE)
