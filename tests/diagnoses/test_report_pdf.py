"""The report on paper: whole, counted, in both languages, and whatever people typed is text."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import translation

from diagnoses import storage
from diagnoses.imaging.printed import MAX_EDGE
from diagnoses.imaging.printed import printed as draw
from diagnoses.models import Job, ModelVersion, Profile, Study
from diagnoses.reports.lettering import printable
from diagnoses.states import JobStatus
from tests import pictures
from tests.diagnoses.factory import HEATMAP, make_job, make_study
from tests.diagnoses.reports import NAME, printed, sign

HOSPITAL = "Bệnh viện Đa khoa huyện Sóc Sơn"
NOTE = "Ho, sốt 39 °C từ ba ngày; thở nhanh, rút lõm lồng ngực. Ẵ ẳ Ặ ữ ợ đ Đ Ỹ"
WITHOUT_PICTURE = "This picture cannot be shown."


@pytest.fixture
def study(clinician: User, model_version: ModelVersion, settings: LazySettings) -> Study:
    settings.CXR_SITE_NAME = HOSPITAL
    return make_study(clinician, model_version, JobStatus.DONE, patient_id="P-0001", clinical_note=NOTE)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_accents_survive_and_can_be_copied_out_again(clinician: User, study: Study, language: str) -> None:
    sign(study.images.get(), clinician, text="Đông đặc thùy dưới phổi phải.")
    pdf = printed(clinician, study, language)
    for words in (HOSPITAL, NOTE, NAME, "Đông đặc thùy dưới phổi phải."):
        assert words in pdf.text
    assert f"/Lang ({language})".encode() in pdf.catalogue()
    with translation.override(language):
        assert translation.gettext("An aid to reading, not a diagnosis. The clinician decides.") in pdf.text
    assert ("93,1 %" if language == "vi" else "93.1 %") in pdf.text


def test_the_fonts_are_in_the_file_as_far_as_they_are_used(clinician: User, study: Study) -> None:
    fonts = printed(clinician, study).embedded_fonts()
    assert {name.partition("+")[2] for name in fonts} == {"DejaVuSans", "DejaVuSans-Bold"}
    assert all(len(name.partition("+")[0]) == 6 for name in fonts)


def test_the_documents_own_title_names_no_patient(clinician: User, study: Study) -> None:
    pdf = printed(clinician, study)
    assert pdf.about("Title") == "Chest X-ray report"
    assert pdf.about("Author") == "Chest X-ray reader"


def test_a_signed_case_takes_two_pages_at_most_and_each_says_which_it_is(clinician: User, study: Study) -> None:
    sign(study.images.get(), clinician, text="Đông đặc thùy dưới phổi phải. " * 10)
    pages = printed(clinician, study).pages
    assert len(pages) <= 2
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "An aid to reading, not a diagnosis." in page
        assert "Patient P-0001" in page


def test_answer_hashes_limits_and_heatmap_are_on_paper(clinician: User, study: Study) -> None:
    text = printed(clinician, study).text
    image = study.images.get()
    assert "where the model looked, not a lesion" in text
    assert image.sha256[:12] in text
    assert image.sha256[:13] not in text
    assert "It was never trained." in text
    assert "Not signed yet." in text


def test_forty_images_begin_on_a_page_each(clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, *[JobStatus.DONE] * 40)
    pages = printed(clinician, study).pages
    assert 40 <= len(pages) <= 41
    assert all(f"Image {number} of 40" in page for number, page in enumerate(pages[:40], 1))
    assert f"Page 40 of {len(pages)}" in pages[39]


HOSTILE = [
    "<b>bold</b> <para> <img src='http://example.org/x.png'/> &amp; <font color=red>",
    "</para><a href='file:///etc/passwd'>x</a>",
    "{{ study.pk }} %(id)s %s {0}",
    "unbroken" * 500,
    "a\n" * 2000,
    "]]> <!-- \\( ( \\) ) <?xml?>",
]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_typed_is_printed_as_text(clinician: User, model_version: ModelVersion, words: str) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, patient_id=words[:64], clinical_note=words[:4000])
    sign(study.images.get(), clinician, text=words[:4000], reader_name=words[:150])
    printed_words = "".join(printed(clinician, study).text.split())
    assert printed_words.count("".join(words[:40].split())) >= 3
    assert "".join(words[-40:].split()) in printed_words


def test_controls_and_turned_directions_are_shown_and_not_obeyed() -> None:
    assert printable("a\x07b\x1bc\u202ed") == "a\ufffdb\ufffdc\ufffdd"
    assert printable("one\r\ntwo\rthree\tfour") == "one\ntwo\nthree four"
    assert printable("\n\n\none\n\n\n\n\ntwo\n") == "one\n\ntwo"
    assert printable("Nguye\u0302\u0303n") == "Nguy\u1ec5n"


def test_letters_that_the_fonts_lack_leave_a_mark(clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, clinical_note="Sốt 肺炎 \U0001f600 \x07 cao")
    assert "Sốt \ufffd\ufffd \ufffd \ufffd cao" in printed(clinician, study).text


def test_a_hidden_answer_is_not_on_paper_and_no_heatmap_is(clinician: User, study: Study) -> None:
    Profile.objects.create(user=clinician, reads_first=True)
    text = printed(clinician, study).text
    assert "Hidden" in text
    assert "93.1" not in text
    assert "Pneumonia" not in text
    assert "heatmap" not in text
    assert "Radiograph" in text


def test_a_refusal_is_printed_with_its_words(clinician: User, model_version: ModelVersion) -> None:
    text = printed(clinician, make_study(clinician, model_version, JobStatus.REFUSED)).text
    assert "Refused: no answer" in text
    assert "The picture is damaged. Export it again." in text


def test_a_picture_that_cannot_be_drawn_leaves_the_rest_of_the_report(
    clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version)
    make_job(study, model_version, JobStatus.DONE, data=b"no picture")
    lost: Job = make_job(study, model_version, JobStatus.DONE)
    storage.remove(lost.image.stored_name)
    text = printed(clinician, study).text
    assert text.count(WITHOUT_PICTURE) == 2
    assert text.count("93.1 %") == 2


def test_large_pictures_are_made_smaller_and_small_ones_left() -> None:
    large = draw(pictures.png(pictures.phantom(2400, 1800)), HEATMAP)
    assert (large.width, large.height) == (MAX_EDGE, 900)
    small = draw(pictures.png(pictures.phantom(320, 280)))
    assert (small.width, small.height, small.heated) == (320, 280, b"")
