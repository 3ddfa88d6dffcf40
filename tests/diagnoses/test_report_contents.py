"""What a report says: of an answer and its worth, of none, of what is hidden, and of what clinicians signed."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import translation

from diagnoses.models import Job, ModelVersion, Profile, RejectedFile, Study
from diagnoses.models.job import WARNING_WORDS, Indeterminacy
from diagnoses.reports.contents import Answer, Interval, as_data
from diagnoses.reports.facts import answer_facts, notes_of, study_facts, worth_words
from diagnoses.states import JobStatus
from tests.diagnoses.factory import make_job_of, make_study, queries_of
from tests.diagnoses.reports import NAME, image_report, report_to, sign


def answer_to(user: User, study: Study) -> Answer:
    answer = image_report(user, study).answer
    assert answer
    return answer


def change_result(job: Job, **fields: Any) -> None:
    type(job.result).objects.filter(pk=job.pk).update(**fields)


def test_a_report_says_whom_it_is_about_and_who_sent_it(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_SITE_NAME = "Bệnh viện Sóc Sơn"
    clinician.first_name, clinician.last_name = "Hạnh", "Lê"
    clinician.save()
    details = {"patient_id": "P-7", "patient_sex": "F", "accession_number": "A-1", "clinical_note": "Ho."}
    study = make_study(
        clinician, model_version, JobStatus.DONE, patient_birth_date=date(2020, 3, 4), urgent=True, **details
    )
    Study.objects.filter(pk=study.pk).update(created_at=datetime(2024, 3, 3, 20, tzinfo=UTC))
    report = report_to(clinician, study)
    facts = {fact.label: fact.value for fact in study_facts(report)}
    assert (report.site, report.clinical_note, report.urgent) == ("Bệnh viện Sóc Sơn", "Ho.", True)
    assert facts == {
        "Patient ID": "P-7",
        "Sex": "Female",
        "Born": "4 March 2020",
        "Age when sent": "4 years",  # the site's clock says that it is the birthday already
        "Accession number": "A-1",
        "Sent": "4 March 2024, 03:00 by Hạnh Lê",
    }


@pytest.mark.parametrize(
    ("born", "words"),
    [(date(2024, 2, 1), "1 month"), (date(2022, 3, 20), "23 months"), (date(2022, 3, 4), "2 years"), (None, "")],
)
def test_below_two_years_the_months_count(
    clinician: User, model_version: ModelVersion, born: date | None, words: str
) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, patient_birth_date=born)
    Study.objects.filter(pk=study.pk).update(created_at=datetime(2024, 3, 4, 4, tzinfo=UTC))
    assert report_to(clinician, study).patient.age_words == words


def test_what_is_not_known_of_the_patient_is_said_to_be_so(clinician: User, model_version: ModelVersion) -> None:
    facts = study_facts(report_to(clinician, make_study(clinician, model_version, JobStatus.DONE)))
    assert [fact.value for fact in facts[:5]] == ["not given", "not given", "not given", "not known", "not given"]


def test_an_answer_comes_with_its_probability_limits_and_origin(clinician: User, done_study: Study, done: Job) -> None:
    answer = answer_to(clinician, done_study)
    assert {fact.label: fact.value for fact in answer_facts(answer)} == {
        "Answer": "Pneumonia",
        "Probability of pneumonia": "93.1 %",
        "Threshold: pneumonia from": "45.0 %",
        "Cannot say between": "40.0 % and 60.0 %",
    }
    assert (answer.model, answer.model_version, answer.engine) == ("mobilenet_v2", "1.0.0", "openvino")
    assert (answer.weights_sha256, answer.image_sha256) == (done.result.weights_sha256, done.image.sha256)
    assert notes_of(answer) == []


def give_figure(version: ModelVersion, name: str) -> None:
    version.card["figures"]["holdout"][name] = {"value": 0.9909, "low": 0.9697, "high": 1.0}
    version.save()


def test_a_sure_answer_has_the_measured_share_of_right_ones_with_its_interval(
    clinician: User, done_study: Study, model_version: ModelVersion
) -> None:
    give_figure(model_version, "accuracy_where_certain")
    answer = answer_to(clinician, done_study)
    title = "Of the answers that it gave without doubt to patients new to it, right"
    assert answer.certainty == Interval(title, 0.9909, 0.9697, 1.0)
    words = worth_words(answer)
    assert words[0] == f"{title}: 99.1 % (95 % interval 97.0 % to 100.0 %)."
    assert "For the probability of a single image no interval was measured." in words[1]


def test_without_a_measured_figure_no_interval_is_given(clinician: User, done_study: Study) -> None:
    answer = answer_to(clinician, done_study)
    assert answer.certainty is None
    assert worth_words(answer) == ["No interval is given: the model's card has none for an answer like this."]


def test_an_answer_within_the_band_has_the_share_that_was_right_there(
    clinician: User, done_study: Study, done: Job
) -> None:
    change_result(done, indeterminate_reason=Indeterminacy.BAND, probability=0.5)
    answer = answer_to(clinician, done_study)
    assert answer.words == "Cannot say"
    assert answer.certainty
    assert answer.certainty.words.startswith("Where it could not say")
    [note] = notes_of(answer)
    assert note.label == "The product cannot say."
    assert note.value.endswith("By the threshold alone it would be Pneumonia.")


def test_an_unsteady_answer_has_no_interval(clinician: User, done_study: Study, done: Job) -> None:
    change_result(done, indeterminate_reason=Indeterminacy.UNSTABLE)
    assert answer_to(clinician, done_study).certainty is None


def test_a_warning_takes_the_models_figures_away(
    clinician: User, done_study: Study, done: Job, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_PREVALENCE = 0.1
    give_figure(model_version, "accuracy_where_certain")
    assert answer_to(clinician, done_study).share_right == pytest.approx(0.6786, abs=1e-4)
    change_result(done, warnings=["outside_age"])
    answer = answer_to(clinician, done_study)
    assert (answer.certainty, answer.share_right) == (None, None)
    assert "the model's figures do not hold" in answer.certainty_words
    assert [(note.label, note.value) for note in notes_of(answer)] == [("Mind:", WARNING_WORDS["outside_age"])]


def test_an_overridden_refusal_is_told_with_who_and_why(clinician: User, done_study: Study, done: Job) -> None:
    change_result(done, override_code="not_frontal", override_by="Dr. Who", override_reason="It is.")
    [note] = notes_of(answer_to(clinician, done_study))
    assert note.label == "Refused at first (No frontal view)."
    assert note.value == "Dr. Who overrode that: “It is.”"


@pytest.mark.parametrize(
    ("status", "words", "problem"),
    [
        (JobStatus.REFUSED, "Refused: no answer", "The picture is damaged. Export it again."),
        (JobStatus.FAILED, "Failed: no answer", "The reading failed on the server."),
        (JobStatus.QUEUED, "Not answered yet", None),
        (JobStatus.RUNNING, "Not answered yet", None),
    ],
)
def test_without_an_answer_the_report_says_why(
    clinician: User, model_version: ModelVersion, status: JobStatus, words: str, problem: str | None
) -> None:
    report = report_to(clinician, make_study(clinician, model_version, status))
    [image] = report.images
    assert (image.status_words, image.answer) == (words, None)
    assert (image.problem.words if image.problem else None) == problem
    assert report.models == []


def test_a_file_that_was_never_taken_in_has_its_reason_and_its_place(clinician: User, done_study: Study) -> None:
    RejectedFile.objects.create(
        study=done_study, position=1, filename="a.txt", code="unsupported_type", message="This is no picture."
    )
    image = report_to(clinician, done_study).images[1]
    assert image.problem
    assert (image.image_id, image.filename, image.problem.words) == (None, "a.txt", "This is no picture.")
    assert image.readings_words == ""


def test_an_earlier_answer_of_another_model_stands_beside(
    clinician: User, done_study: Study, done: Job, xception: ModelVersion
) -> None:
    make_job_of(done.image, xception, JobStatus.DONE)
    report = report_to(clinician, done_study)
    [image] = report.images
    assert image.answer
    assert image.answer.model == "xception"
    [other] = image.other_answers
    assert (other.model, other.words, other.probability) == ("mobilenet_v2", "Pneumonia", 0.9312)
    assert [model.name for model in report.models] == ["xception"]


def test_the_cards_use_limits_and_figures_come_along(clinician: User, done_study: Study) -> None:
    [model] = report_to(clinician, done_study).models
    assert (model.intended_use, model.limits) == ("To be tested with.", ["It was never trained."])
    assert len(model.figures) == 3
    assert {(figure.value, figure.low, figure.high) for figure in model.figures} == {(0.95, 0.93, 0.97)}


def test_a_report_without_a_signature_says_so(clinician: User, done_study: Study) -> None:
    image = image_report(clinician, done_study)
    assert (image.readings, image.readings_words) == ([], "Not signed yet.")


def test_a_signed_reading_is_told_in_full(clinician: User, done_study: Study, done: Job) -> None:
    row = sign(done.image, clinician, text="Đông đặc.")
    [reading] = image_report(clinician, done_study).readings
    row.refresh_from_db()
    assert (reading.final, reading.revised) == (True, False)
    assert (reading.part.words, reading.finding.words) == ("First reader", "Pneumonia")
    assert reading.agreement
    assert reading.agreement.words == "Agrees"
    assert (reading.text, reading.reader, reading.signed_at) == ("Đông đặc.", NAME, row.signed_at)


def test_a_reading_that_was_replaced_no_longer_stands(clinician: User, done_study: Study, done: Job) -> None:
    first = sign(done.image, clinician, "NORMAL", agreement="disagree")
    sign(done.image, clinician, "PNEUMONIA", replaces=first)
    [reading] = image_report(clinician, done_study).readings
    assert (reading.finding.code, reading.revised, reading.final) == ("PNEUMONIA", True, True)


def test_two_readers_who_differ_wait_for_an_arbiter_whose_word_comes_first(
    clinician: User, outsider: User, auditor: User, done_study: Study, done: Job
) -> None:
    sign(done.image, clinician, "NORMAL")
    sign(done.image, outsider, "PNEUMONIA", part="second")
    image = image_report(clinician, done_study)
    assert [(reading.part.code, reading.final) for reading in image.readings] == [("first", False), ("second", False)]
    assert "no arbiter" in image.readings_words
    sign(done.image, auditor, "PNEUMONIA", part="arbiter")
    image = image_report(clinician, done_study)
    found = [(reading.part.code, reading.final) for reading in image.readings]
    assert found == [("arbiter", True), ("first", False), ("second", False)]
    assert image.readings_words == ""


def test_who_reads_first_gets_neither_answer_nor_what_gives_it_away(
    clinician: User, outsider: User, done_study: Study, done: Job, xception: ModelVersion
) -> None:
    make_job_of(done.image, xception, JobStatus.DONE)
    sign(done.image, outsider, part="second", text="As the model says.")
    Profile.objects.create(user=clinician, reads_first=True)
    report = report_to(clinician, done_study)
    [image] = report.images
    assert (image.hidden, image.status_words, image.answer) == (True, "Hidden", None)
    assert (image.other_answers, image.readings, report.models) == ([], [], [])
    assert "Sign your own reading" in image.readings_words
    told = json.dumps(as_data(report))
    assert "0.9312" not in told
    assert "PNEUMONIA" not in told
    sign(done.image, clinician)
    image = image_report(clinician, done_study)
    assert image.answer
    assert (image.hidden, len(image.readings)) == (False, 2)


def test_an_outsider_gets_no_report(outsider: User, done_study: Study) -> None:
    with pytest.raises(Study.DoesNotExist):
        report_to(outsider, done_study)


def test_numbers_and_dates_are_those_of_the_documents_language(clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, JobStatus.DONE, patient_birth_date=date(2020, 3, 4))
    with translation.override("vi"):
        report = report_to(clinician, study)
        assert report.language == "vi"
        assert report.images[0].answer
        assert answer_facts(report.images[0].answer)[1].value == "93,1 %"
        assert study_facts(report)[2].value == "4 tháng 3 năm 2020"


def test_a_report_of_many_images_asks_the_database_no_more_than_one_of_few(
    clinician: User, model_version: ModelVersion
) -> None:
    def asked_for(count: int) -> int:
        study = make_study(clinician, model_version, *[JobStatus.DONE] * count)
        return len(queries_of(lambda: report_to(clinician, study)))

    asked_for(1)  # what the account may do is looked up once
    assert asked_for(12) == asked_for(1)
