"""What a newcomer finds: a sample that is nobody's, and the words explained."""

from typing import Any

import cv2
import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.glossary import GLOSSARY
from diagnoses.imaging.phantom import draw_phantom, sample_png
from diagnoses.models import Image, Job, ModelVersion, Study
from diagnoses.services.registry import report_worker
from tests.diagnoses.conftest import browser_of


@pytest.fixture
def _reading(model_version: ModelVersion) -> None:
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")


@pytest.mark.usefixtures("_reading")
def test_a_sample_is_sent_leads_to_its_study_and_is_marked_as_nobodys(browser: Client, clinician: User) -> None:
    response: Any = browser.post(reverse("sample"), follow=True)
    study = Study.objects.get()
    assert response.redirect_chain == [(reverse("study", args=[study.pk]), 302)]
    assert (study.patient_id, study.submitted_by) == ("SAMPLE", clinician)
    assert Job.objects.count() == 1
    for page in (response, browser.get(reverse("worklist"))):
        assert "Sample, no patient" in page.content.decode()


def test_a_sample_has_the_size_of_a_radiograph_and_words_in_its_corner() -> None:
    picture = np.asarray(cv2.imdecode(np.frombuffer(sample_png(), np.uint8), cv2.IMREAD_GRAYSCALE))
    assert picture.shape == (896, 1024)
    plain = draw_phantom(1024, 896)
    written = np.argwhere(picture != plain)
    assert len(written) > 0
    assert written.max(axis=0)[0] < 100


@pytest.mark.django_db
def test_without_a_model_the_newcomer_is_told_why_there_is_no_sample(browser: Client) -> None:
    page = browser.post(reverse("sample"), follow=True).content.decode()
    assert 'alert-danger" role="alert"' in page
    assert not Image.objects.exists()


@pytest.mark.usefixtures("_reading")
def test_an_outsider_sees_no_sample_of_anothers(browser: Client, outsider: User) -> None:
    browser.post(reverse("sample"))
    assert "Sample, no patient" not in browser_of(outsider).get(reverse("worklist")).content.decode()


def test_every_word_is_explained_at_its_own_place(browser: Client) -> None:
    page = browser.get(reverse("help")).content.decode()
    for key in GLOSSARY:
        assert f'id="{key}"' in page


def test_a_question_mark_says_what_it_explains_and_leads_to_all_words(browser: Client) -> None:
    page = browser.get(reverse("worklist")).content.decode()
    assert "What does “Order of the worklist” mean?" in page
    assert f'href="{reverse("help")}#order"' in page
