"""The page that radiographs are sent from: it works without a script, and says of each file what is wrong with it."""

import re
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from diagnoses.audit import user_actor
from diagnoses.models import Image, Job, ModelVersion, RejectedFile, Study
from diagnoses.selectors.originals import read_original
from diagnoses.services.registry import report_worker
from diagnoses.services.submission import StudyDetails, submit_study
from tests.conftest import PASSWORD
from tests.diagnoses.conftest import Doorbell
from tests.diagnoses.factory import PICTURE, make_model_version, sent, stored_files

pytestmark = pytest.mark.usefixtures("model_version")


def upload(name: str = "chest.png", data: bytes = PICTURE) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def send(browser: Client, *files: SimpleUploadedFile, **fields: str) -> Any:
    return browser.post(reverse("send"), {"files": list(files), **fields})


def text(response: Any) -> str:
    return unescape(response.content.decode())


def test_the_form_takes_many_files_and_says_which_kinds(browser: Client) -> None:
    page = text(browser.get(reverse("send")))
    assert 'enctype="multipart/form-data"' in page
    assert 'type="file" id="id_files" name="files"' in page
    assert "multiple required" in page
    assert "PNG, JPEG or DICOM" in page
    assert "An aid to reading, not a diagnosis." in page


def test_the_form_asks_for_nothing_that_it_does_not_keep(browser: Client) -> None:
    page = text(browser.get(reverse("send")))
    for name in ("patient_id", "patient_sex", "patient_birth_date", "accession_number", "clinical_note"):
        assert f'name="{name}"' in page


def test_a_sent_study_leads_to_its_page(
    browser: Client, doorbell: Doorbell, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = send(browser, upload(), upload("side.png"), patient_id="P-1", patient_birth_date="2020-02-29")
    study = Study.objects.get()
    assert (response.status_code, response["Location"]) == (302, reverse("study", args=[study.pk]))
    assert (study.patient_id, str(study.patient_birth_date)) == ("P-1", "2020-02-29")
    assert [image.filename for image in Image.objects.all()] == ["chest.png", "side.png"]
    assert doorbell.rings() == 1


def readers_in(page: str) -> list[tuple[str, str]]:
    found = re.search(r'<select name="model".*?</select>', page, re.DOTALL)
    return re.findall(r'<option value="([^"]*)">([^<]*)</option>', found[0]) if found else []


def test_with_one_model_there_is_nothing_to_choose(browser: Client) -> None:
    make_model_version("gone", "1.0.0", available=False)
    assert readers_in(text(browser.get(reverse("send")))) == []


def test_with_several_models_one_is_chosen_and_the_default_comes_first(browser: Client) -> None:
    xception = make_model_version("xception", "1.0.0")
    assert readers_in(text(browser.get(reverse("send")))) == [
        ("mobilenet_v2@1.0.0", "mobilenet_v2 1.0.0 (default)"),
        ("xception@1.0.0", "xception 1.0.0"),
    ]
    send(browser, upload(), model="xception@1.0.0")
    assert Job.objects.get().model_version == xception


def test_where_none_is_chosen_the_default_reads(browser: Client, model_version: ModelVersion) -> None:
    make_model_version("xception", "1.0.0")
    send(browser, upload())
    send(browser, upload(), model="")
    assert {job.model_version for job in Job.objects.all()} == {model_version}


@pytest.mark.parametrize("model", ["nothing@1.0.0", "gone@1.0.0", "xception", "\0"])
def test_a_model_that_does_not_read_here_is_told_and_nothing_is_kept(browser: Client, model: str) -> None:
    make_model_version("gone", "1.0.0", available=False)
    response = send(browser, upload(), model=model)
    assert response.status_code == 400
    assert "This model does not read here (any more). Reload the page and choose another." in text(response)
    assert not Study.objects.exists()
    assert stored_files() == []


def test_a_model_that_no_worker_has_loaded_is_told_and_nothing_is_kept(
    browser: Client, model_version: ModelVersion
) -> None:
    make_model_version("xception", "1.0.0")
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    response = send(browser, upload(), model="xception@1.0.0")
    assert response.status_code == 400
    assert "xception 1.0.0 cannot read on this site now." in text(response)
    assert stored_files() == []


def test_the_bytes_arrive_unchanged_through_the_form(browser: Client, settings: LazySettings) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100  # so that Django takes the way over a temporary file
    send(browser, upload())
    assert read_original(Image.objects.get()) == PICTURE


def test_a_study_belongs_to_whoever_is_signed_in_whatever_the_form_says(browser: Client, outsider: User) -> None:
    send(browser, upload(), submitted_by=str(outsider.pk), user=outsider.username)
    assert Study.objects.get().submitted_by.username == "clinician"


def test_a_bad_file_beside_a_good_one_is_told_on_the_studys_page(browser: Client) -> None:
    response = send(browser, upload("letter.png", b"Dear colleague"), upload())
    page = text(browser.get(response["Location"]))
    assert RejectedFile.objects.get().message in page
    assert page.index("letter.png") < page.index("chest.png")


def test_where_no_file_is_usable_each_is_named_with_its_own_reason(browser: Client) -> None:
    response = send(browser, upload("letter.png", b"Dear colleague"), upload("empty.dcm", b""))
    page = text(response)
    assert response.status_code == 400
    assert "None of the files could be taken. Nothing was kept." in page
    assert "<strong>letter.png</strong>: This is no PNG, JPEG or DICOM file" in page
    assert "<strong>empty.dcm</strong>: The file is empty." in page
    assert not Study.objects.exists()
    assert stored_files() == []


def test_when_too_much_waits_nothing_is_taken_and_the_page_says_when_to_come_again(
    browser: Client, settings: LazySettings
) -> None:
    settings.CXR_MAX_QUEUED = 1
    send(browser, upload())
    response = send(browser, upload(), upload(), patient_id="P-77")
    assert response.status_code == 429
    assert int(response["Retry-After"]) >= 1
    assert "send these again in" in text(response)
    assert 'value="P-77"' in text(response)
    assert Study.objects.count() == 1


def test_what_was_typed_is_still_there_after_a_refusal(browser: Client) -> None:
    page = text(send(browser, upload(data=b""), patient_id="P-77", clinical_note="Cough"))
    assert 'value="P-77"' in page
    assert "Cough" in page


def test_a_form_without_a_file_is_told_so_beside_the_field(browser: Client) -> None:
    response = send(browser)
    assert response.status_code == 400
    assert "No file was sent. Choose at least one PNG, JPEG or DICOM file." in text(response)
    assert 'id="files-error"' in text(response)


def test_too_many_files_are_told_how_many_are_taken(browser: Client, settings: LazySettings) -> None:
    settings.CXR_MAX_FILES = 2
    response = send(browser, upload(), upload(), upload())
    assert response.status_code == 400
    assert "3 files were sent; at most 2 are taken at once." in text(response)
    assert not Study.objects.exists()


def test_a_flood_of_files_is_cut_off_with_words(browser: Client, settings: LazySettings) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3
    response = send(browser, *[upload() for _ in range(5)])
    assert response.status_code == 400
    assert "send them in parts" in text(response)


def test_a_site_without_a_model_says_so(browser: Client) -> None:
    ModelVersion.objects.all().delete()
    response = send(browser, upload())
    assert response.status_code == 400
    assert "No model is registered on this site yet." in text(response)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("patient_id", "x" * 65, "at most 64 characters"),
        ("patient_sex", "Q", "not one of the available choices"),
        ("patient_birth_date", "yesterday", "Enter a valid date"),
        ("patient_birth_date", "2999-01-01", "lies in the future"),
        ("patient_birth_date", "1899-12-31", "lies before 1900"),
        ("accession_number", "x" * 65, "at most 64 characters"),
        ("clinical_note", "x" * 4001, "at most 4000 characters"),
        ("patient_id", "P\0", "Null characters are not allowed"),
    ],
)
def test_a_wrong_field_keeps_nothing_and_is_told_what_is_wrong(
    browser: Client, name: str, value: str, words: str
) -> None:
    response = browser.post(reverse("send"), {"files": [upload()], name: value})
    assert response.status_code == 400
    assert words in text(response)
    assert not Study.objects.exists()
    assert stored_files() == []


@pytest.mark.parametrize("name", ["<script>alert(1)</script>.png", '"><img src=x onerror=alert(1)>.png'])
def test_a_files_name_never_becomes_markup(browser: Client, name: str) -> None:
    user = User.objects.get(username="clinician")
    study = submit_study(actor=user_actor(user), files=[sent(name)], details=StudyDetails()).study
    assert study
    for url in (reverse("study", args=[study.pk]), reverse("history")):
        page = browser.get(url).content.decode()
        assert name not in page
        assert name in unescape(page)


def test_a_form_without_its_token_is_refused(clinician: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(clinician)
    response = strict.post(reverse("send"), {"files": [upload()]})
    assert response.status_code == 403
    assert not Study.objects.exists()


def test_a_form_with_its_token_is_taken(clinician: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(clinician)
    strict.get(reverse("send"))
    token = strict.cookies["csrftoken"].value
    assert strict.post(reverse("send"), {"files": [upload()], "csrfmiddlewaretoken": token}).status_code == 302


def test_the_page_is_never_kept_by_a_browser(browser: Client) -> None:
    assert "no-store" in browser.get(reverse("send"))["Cache-Control"]


@pytest.mark.parametrize("name", ["send", "history"])
def test_a_page_lets_itself_be_neither_framed_nor_guessed_at(browser: Client, name: str) -> None:
    response = browser.get(reverse(name))
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"


def test_a_session_is_out_of_reach_of_scripts(clinician: User) -> None:
    response = Client().post(reverse("sign_in"), {"login": "clinician", "password": PASSWORD})
    cookie = response.cookies["sessionid"]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"


def test_the_sign_in_leads_back_to_where_one_wanted_to_go(clinician: User) -> None:
    client = Client()
    url = client.get(reverse("history"))["Location"]
    assert 'value="/history/"' in text(client.get(url))
    response = client.post(reverse("sign_in"), {"login": "clinician", "password": PASSWORD, "next": reverse("history")})
    assert response["Location"] == reverse("history")


def test_the_sign_in_leads_to_no_other_site(clinician: User) -> None:
    credentials = {"login": "clinician", "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post(reverse("sign_in"), credentials)["Location"] == reverse("worklist")


def test_a_wrong_password_is_told_without_saying_whether_the_name_exists(clinician: User) -> None:
    pages = [
        text(Client().post(reverse("sign_in"), {"login": name, "password": "wrong"}))
        for name in ("clinician", "nobody")
    ]
    assert "Please enter a correct username and password" in pages[0]
    errors = [page[page.index('role="alert"') : page.index('for="id_username"')] for page in pages]
    assert errors[0] == errors[1]
