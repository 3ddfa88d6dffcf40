"""Reading first: the model's answer is nowhere to be seen until the user has signed their own."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnoses.audit import user_actor
from diagnoses.models import Job, ModelVersion, Profile, Study
from diagnoses.models.audit import AuditAction
from diagnoses.roles import Role
from diagnoses.selectors.hiding import hidden_images, is_hidden
from diagnoses.services.profiles import save_profile
from diagnoses.states import JobStatus
from tests.conftest import api_of, make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import last_event, make_job_of, make_study, queries_of
from tests.diagnoses.signing import image_of, job_of, post, read_first, sign
from tests.diagnoses.test_export import export

TELLTALES = ("Pneumonia", "PNEUMONIA", "93.1", "0.93", "/heatmap/", "Probability of", "by the threshold")


@pytest.fixture
def hidden_study(clinician: User, model_version: ModelVersion, xception: ModelVersion) -> Study:
    """A study of a clinician who reads first, answered by two models."""
    read_first(clinician)
    study = make_study(clinician, model_version, JobStatus.DONE, patient_id="P-0001")
    make_job_of(image_of(study), xception, JobStatus.DONE)
    return study


def told_by(text: str) -> list[str]:
    """What of an answer a page tells, but for the choices that its forms offer to everybody."""
    text = unescape(text)
    for offered in ('value="PNEUMONIA"', ">Pneumonia <kbd", ">Pneumonia</option>", "Finds pneumonia"):
        text = text.replace(offered, "")
    return [word for word in TELLTALES if word in text]


def test_no_address_of_a_hidden_study_tells_its_answer(clinician: User, hidden_study: Study) -> None:
    browser, api = browser_of(clinician), api_of(clinician)
    for name in ("study", "study_images"):
        page = browser.get(reverse(name, args=[hidden_study.pk])).content.decode()
        assert told_by(page) == []
        assert "Hidden until you have read" in page
    for name in ("history", "worklist"):
        page = browser.get(reverse(name), follow=True).content.decode()
        # The help beside a table's head is the same for everybody.
        assert told_by(re.sub(r'<details class="help">.*?</details>', "", page, flags=re.DOTALL)) == [], name
    _, csv = export(browser)
    assert told_by(csv) == []
    assert ",done,hidden," in csv
    for path in (reverse("api_studies"), reverse("api_study", args=[hidden_study.pk])):
        answer = api.get(path).content.decode()
        assert told_by(answer) == []
        assert '"hidden":true' in answer
    for job in Job.objects.all():
        for client, name in ((browser, "heatmap"), (api, "api_heatmap")):
            assert client.get(reverse(name, args=[job.pk])).status_code == 404


def test_the_api_says_why_there_is_no_heatmap(clinician: User, hidden_study: Study) -> None:
    response = api_of(clinician).get(reverse("api_heatmap", args=[Job.objects.first().pk]))  # type: ignore[union-attr]
    assert "hidden until you have signed" in response.json()["detail"]


@pytest.mark.parametrize("asked", ["label=NORMAL", "label=PNEUMONIA", "indeterminate=true"])
def test_no_filter_tells_what_is_hidden(clinician: User, hidden_study: Study, asked: str) -> None:
    browser = browser_of(clinician)
    page = browser.get(f"{reverse('history')}?{asked}")
    assert page.status_code == 400
    assert "cannot be looked for by the answer" in unescape(page.content.decode())
    assert "P-0001" not in page.content.decode()
    assert browser.get(f"{reverse('history_csv')}?{asked}").status_code == 400
    assert api_of(clinician).get(f"{reverse('api_studies')}?{asked}").status_code == 400


def test_once_signed_the_answer_stands_beside_the_reading(clinician: User, hidden_study: Study) -> None:
    browser = browser_of(clinician)
    assert post(browser, image_of(hidden_study), finding="NORMAL").status_code == 302
    reading = image_of(hidden_study).readings.get()
    assert (reading.answer_shown, reading.agreement) == (False, "disagree")
    page = browser.get(reverse("study", args=[hidden_study.pk])).content.decode()
    assert "93.1 %" in page
    assert "disagrees with the model" in page
    assert "before seeing an answer" in page
    assert browser.get(reverse("heatmap", args=[reading.job_id])).status_code == 200
    assert "93.1 %" in browser.get(reverse("history")).content.decode()
    edit = sign(clinician, image_of(hidden_study), "PNEUMONIA", replaces=reading.pk)
    assert (edit.answer_shown, edit.agreement) == (True, "agree")


def test_nobody_learns_a_hidden_answer_by_agreeing_with_it(clinician: User, hidden_study: Study) -> None:
    latest = Job.objects.first()
    assert latest is not None
    response = post(
        browser_of(clinician), image_of(hidden_study), agreement="agree", finding="NORMAL", answer=latest.pk
    )
    assert response.status_code == 302
    assert image_of(hidden_study).readings.get().finding == "NORMAL"
    other = make_study(clinician, latest.model_version, JobStatus.DONE)
    response = post(browser_of(clinician), image_of(other), agreement="agree", answer=job_of(other).pk)
    assert response.status_code == 400
    assert told_by(response.content.decode()) == []


def test_a_problem_beside_a_hidden_image_does_not_show_its_answer(clinician: User, hidden_study: Study) -> None:
    response = post(browser_of(clinician), image_of(hidden_study))
    assert response.status_code == 400
    assert told_by(response.content.decode()) == []


def test_what_is_not_read_or_refused_is_not_called_hidden(clinician: User, model_version: ModelVersion) -> None:
    read_first(clinician)
    study = make_study(clinician, model_version, JobStatus.QUEUED, JobStatus.REFUSED)
    page = browser_of(clinician).get(reverse("study", args=[study.pk])).content.decode()
    assert "Hidden until you have read" not in page
    assert "The picture is damaged." in page


def test_hiding_is_each_users_own_choice(browser: Client, clinician: User, done_study: Study) -> None:
    assert not is_hidden(clinician, image_of(done_study).pk)
    assert "93.1 %" in browser.get(reverse("study", args=[done_study.pk])).content.decode()
    read_first(clinician)
    assert is_hidden(clinician, image_of(done_study).pk)


def test_a_site_may_have_everybody_read_first(
    browser: Client, clinician: User, done_study: Study, settings: LazySettings
) -> None:
    settings.CXR_FIRST_READ = "always"
    assert told_by(browser.get(reverse("study", args=[done_study.pk])).content.decode()) == []
    assert "reads_first" not in browser.get(reverse("preferences")).content.decode()
    assert not sign(clinician, image_of(done_study)).answer_shown


def test_nothing_is_hidden_from_whose_turn_it_is_not(
    clinician: User, done_study: Study, settings: LazySettings
) -> None:
    radiologist = make_user("radiologist", Role.RADIOLOGIST)
    read_first(radiologist)
    assert is_hidden(radiologist, image_of(done_study).pk)
    sign(clinician, image_of(done_study))
    assert not is_hidden(radiologist, image_of(done_study).pk)
    settings.CXR_SECOND_READER = True
    assert is_hidden(radiologist, image_of(done_study).pk)


def test_an_answer_that_may_have_been_seen_before_is_not_called_unseen(clinician: User, done_study: Study) -> None:
    read_first(clinician)
    reading = sign(clinician, image_of(done_study))
    assert reading.answer_shown
    Profile.objects.update(reads_first_since=timezone.now() - timedelta(days=1))
    later = make_study(clinician, job_of(done_study).model_version, JobStatus.DONE)
    assert not sign(clinician, image_of(later)).answer_shown


def test_giving_up_to_read_first_is_on_record_and_counts_anew_when_taken_up_again(clinician: User) -> None:
    read_first(clinician)
    since = Profile.objects.get().reads_first_since
    assert browser_of(clinician).post(reverse("preferences"), {"language": "en", "theme": "dark"}).status_code == 302
    event = last_event(AuditAction.ANSWER_UNCOVERED)
    assert (event.actor_name, event.address) == ("clinician", "192.0.2.7")
    save_profile(user=clinician, actor=user_actor(clinician), theme="light")
    read_first(clinician)
    anew = Profile.objects.get().reads_first_since
    assert since
    assert anew
    assert anew >= since


def test_many_images_are_looked_at_in_one_go(clinician: User, model_version: ModelVersion) -> None:
    read_first(clinician)
    study = make_study(clinician, model_version, *[JobStatus.DONE] * 4)
    ids = list(study.images.values_list("pk", flat=True))
    assert hidden_images(clinician, ids) == set(ids)
    for_one = queries_of(lambda: is_hidden(clinician, ids[0]))
    assert len(queries_of(lambda: hidden_images(clinician, ids))) == len(for_one)
