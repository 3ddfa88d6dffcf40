"""The page of a study: the answer with all that a reader needs to weigh it, and a way to follow what is not done."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import reverse

from diagnoses.models import Job, ModelVersion, RejectedFile, Study
from diagnoses.services.jobs import claim_jobs
from diagnoses.services.registry import report_worker
from diagnoses.states import ENDED, JobStatus
from diagnoses.templatetags.percent import percent
from diagnoses.views import studies as study_views
from tests.diagnoses.claiming import complete_job
from tests.diagnoses.factory import make_job, make_result, make_study, outcome, queries_of
from tests.diagnoses.noticing import send_notice

BADGES = {
    JobStatus.QUEUED: "Waiting",
    JobStatus.RUNNING: "Being read",
    JobStatus.DONE: "Pneumonia",
    JobStatus.REFUSED: "Refused",
    JobStatus.FAILED: "Failed",
}


def page_of(browser: Client, study: Study, name: str = "study") -> str:
    response = browser.get(reverse(name, args=[study.pk]))
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def without_tokens(page: str) -> str:
    """Without what differs each time a form is drawn."""
    return re.sub('(name="csrfmiddlewaretoken" value=")[^"]*', r"\1", page)


def ended_flag(page: str) -> str:
    [flag] = re.findall(r'id="progress"[^>]*data-ended="(\w+)"', page)
    return str(flag)


def test_a_done_image_shows_answer_probability_threshold_and_model(
    browser: Client, done_study: Study, model_version: ModelVersion
) -> None:
    page = page_of(browser, done_study)
    assert '<dt>Answer</dt><dd class="h3 mb-0">Pneumonia</dd>' in page
    assert '<dt>Probability of pneumonia</dt><dd class="h3 mb-0">93.1 %</dd>' in page
    threshold = percent(model_version.threshold)
    assert f"<dt>Threshold: pneumonia from</dt><dd>{threshold}</dd>" in page
    assert re.search(r"<dt>Model</dt><dd><a [^>]*>mobilenet_v2, version 1.0.0</a></dd>", page)


def test_a_normal_answer_shows_the_probability_of_pneumonia_and_not_its_complement(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.RUNNING)
    job = Job.objects.get()
    make_result(job, probability=0.0712, label="NORMAL")
    Job.objects.update(status=JobStatus.DONE, lease_until=None)
    page = page_of(browser, study)
    assert "Normal</dd>" in page
    assert "7.1 %" in page
    assert "92.9 %" not in page


def test_the_page_says_that_it_is_no_diagnosis_and_who_the_model_learnt_from(
    browser: Client, done_study: Study
) -> None:
    page = page_of(browser, done_study)
    assert "This is not a diagnosis." in page
    assert "trained on children of one to five years" in page
    assert "An aid to reading, not a diagnosis. The clinician decides." in page


def test_the_heatmap_is_called_attention_and_never_a_lesion(browser: Client, done_study: Study) -> None:
    page = page_of(browser, done_study)
    assert "The heatmap shows where the model looked, not a lesion." in page
    assert "With the heatmap: where the model looked" in page
    assert "most attention" in page
    assert page.lower().count("lesion") == 1


def test_all_palettes_are_offered_each_with_its_scale_the_even_one_first(browser: Client, done_study: Study) -> None:
    page = page_of(browser, done_study)
    bars = {palette: reverse("colour_bar", args=[palette]) for palette in ("inferno", "jet", "viridis")}
    assert re.findall(r'<option value="(\w+)" data-bar="([^"]+)">', page) == list(bars.items())
    assert f'<img src="{bars["inferno"]}" alt="" data-scale>' in page


def test_a_done_image_has_a_viewer_with_its_values_and_its_heatmap(browser: Client, done_study: Study) -> None:
    page = page_of(browser, done_study)
    job = Job.objects.get()
    assert f'data-pixels="{reverse("pixels", args=[job.image_id])}" data-columns="160" data-rows="120"' in page
    assert f'data-heatmap="{reverse("heatmap_cells", args=[job.pk])}"' in page
    assert re.search(r'data-line="[^"]*P-0001[^"]* · sent ', page)


def test_without_javascript_the_radiograph_is_there_with_and_without_the_heatmap(
    browser: Client, done_study: Study
) -> None:
    page = page_of(browser, done_study)
    job = Job.objects.get()
    [scripted, unscripted] = page.split("<noscript>")
    assert f'src="{reverse("picture", args=[job.image_id])}"' in scripted
    assert 'alt="Radiograph chest-0.png"' in scripted
    assert f'src="{reverse("heatmap", args=[job.pk])}?palette=inferno"' in unscripted


@pytest.mark.parametrize("status", JobStatus)
def test_each_state_is_shown_by_its_name(
    browser: Client, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    page = page_of(browser, make_study(clinician, model_version, status))
    shown = re.findall(r'<span class="badge[^"]*">.*?</svg>([^<]+)</span>', page)
    assert shown == [BADGES[status]]


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.DONE])
def test_no_answer_and_no_heatmap_is_shown_before_there_is_one(
    browser: Client, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    page = page_of(browser, make_study(clinician, model_version, status))
    assert "Probability" not in page
    assert "/heatmap/" not in page
    assert "/picture/" in page


def test_each_file_that_has_no_answer_says_why(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version, JobStatus.REFUSED, JobStatus.FAILED)
    RejectedFile.objects.create(
        study=study, position=2, filename="note.txt", code="unsupported_type", message="This is no PNG."
    )
    page = page_of(browser, study)
    positions = [page.index(words) for words in ("damaged. Export it", "failed on the server", "This is no PNG.")]
    assert positions == sorted(positions)


def test_the_files_stand_in_the_order_sent(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    study = make_study(clinician, model_version)
    for position, filename in [(2, "third.png"), (0, "first.png")]:
        job = make_job(study, model_version, filename=filename)
        job.image.position = position + 10
        job.image.save()
    RejectedFile.objects.create(study=study, position=11, filename="second.txt", code="empty_file", message="Empty.")
    page = page_of(browser, study)
    titles = re.findall(r'<h2 class="card-title text-break" id="image-\d+">([^<]+)</h2>', page)
    assert titles == ["first.png", "second.txt", "third.png"]


def test_what_is_known_of_the_patient_is_shown(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    study = make_study(
        clinician,
        model_version,
        patient_id="P-1",
        patient_sex="F",
        patient_birth_date="2020-02-29",
        accession_number="A-1",
        clinical_note="Cough <b>bold</b>",
    )
    raw = browser.get(reverse("study", args=[study.pk])).content.decode()
    for words in ("Patient P-1", "Female", "2020-02-29", "A-1", "Cough &lt;b&gt;bold&lt;/b&gt;"):
        assert words in raw


@pytest.mark.parametrize("urgent", [True, False])
def test_an_urgent_study_says_so(
    browser: Client, clinician: User, model_version: ModelVersion, *, urgent: bool
) -> None:
    assert ("Urgent" in page_of(browser, make_study(clinician, model_version, urgent=urgent))) == urgent


def test_a_waiting_study_says_its_place_in_the_queue_and_one_that_waits_for_nothing_does_not(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    first, second = (make_study(clinician, model_version, JobStatus.QUEUED, JobStatus.QUEUED) for _ in range(2))
    assert "In the queue: next." in page_of(browser, first)
    assert "In the queue: 2 images before it." in page_of(browser, second)
    assert "In the queue" not in page_of(browser, make_study(clinician, model_version, JobStatus.DONE))


@pytest.mark.parametrize("status", JobStatus)
def test_the_page_says_whether_all_is_answered(
    browser: Client, clinician: User, model_version: ModelVersion, status: JobStatus
) -> None:
    page = page_of(browser, make_study(clinician, model_version, JobStatus.DONE, status))
    assert ended_flag(page) == ("true" if status in ENDED else "false")
    assert ("Every file has its answer." if status in ENDED else "1 of 2 answered") in page


def test_a_reader_is_told_when_no_worker_is_running(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    study = make_study(clinician, model_version, JobStatus.QUEUED)
    words = "No reader is running at present. What you sent is kept"
    assert words in page_of(browser, study)
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    assert words not in page_of(browser, study)


def test_an_answered_study_does_not_speak_of_workers(browser: Client, done_study: Study) -> None:
    assert "No reader is running" not in page_of(browser, done_study)


def test_the_changing_part_comes_alone_with_the_same_flag_and_answer(browser: Client, done_study: Study) -> None:
    fragment = page_of(browser, done_study, "study_images")
    assert "<html" not in fragment
    assert ended_flag(fragment) == "true"
    assert "93.1 %" in fragment
    assert without_tokens(fragment) in without_tokens(page_of(browser, done_study))


def test_a_study_shows_where_its_changes_are_told(browser: Client, done_study: Study) -> None:
    page = page_of(browser, done_study)
    assert f'data-url="{reverse("study_images", args=[done_study.pk])}"' in page
    assert f'data-events="{reverse("study_events", args=[done_study.pk])}"' in page


@pytest.mark.parametrize("name", ["study", "study_images", "study_events"])
def test_nothing_of_a_study_is_kept_by_a_browser(browser: Client, done_study: Study, name: str) -> None:
    assert "no-store" in browser.get(reverse(name, args=[done_study.pk]))["Cache-Control"]


def test_more_images_take_no_more_queries(browser: Client, clinician: User, model_version: ModelVersion) -> None:
    few = make_study(clinician, model_version, JobStatus.DONE, JobStatus.FAILED)
    many = make_study(clinician, model_version, *[JobStatus.DONE, JobStatus.FAILED] * 5)
    counts = [len(queries_of(lambda study=study: page_of(browser, study))) for study in (few, many)]  # type: ignore[misc]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.9312, "93.1 %"),
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (0.0004, "< 0.1 %"),
        (0.9996, "> 99.9 %"),
        (0.5, "50.0 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(value: float, shown: str) -> None:
    assert percent(value) == shown


@pytest.fixture
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream gives its connection back after each look; here it is the test's own, with the rows of the test."""
    monkeypatch.setattr(study_views, "close_old_connections", lambda: None)


async def lines_of(response: StreamingHttpResponse) -> AsyncIterator[str]:
    """All that is told. A stream that does not end by itself is an error, long before its own time is over."""
    async with asyncio.timeout(20):
        async for part in response:
            yield bytes(part).decode()


async def stream(user: User, study: Study) -> StreamingHttpResponse:
    client = AsyncClient()
    await client.aforce_login(user)
    response: Any = await client.get(reverse("study_events", args=[study.pk]))
    assert response.status_code == 200
    return response  # type: ignore[no-any-return]


def events_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(data) for data in re.findall(r"event: state\ndata: (.+)\n\n", text)]


@pytest.mark.usefixtures("_one_connection")
def test_the_stream_of_an_answered_study_says_so_and_ends(clinician: User, done_study: Study) -> None:
    async def follow() -> str:
        return "".join([part async for part in lines_of(await stream(clinician, done_study))])

    assert events_in(async_to_sync(follow)()) == [{"ended": True}]


@pytest.mark.usefixtures("_one_connection")
def test_the_stream_tells_each_change_at_its_notice_and_ends_with_the_last(
    clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_views, "LOOK_ANYWAY_SECONDS", 60)
    study = make_study(clinician, model_version, JobStatus.QUEUED, JobStatus.QUEUED)

    def read_one() -> None:
        for claim in claim_jobs(worker_name="reader-1", model_versions=[model_version], limit=1):
            complete_job(claim=claim, outcome=outcome())
        send_notice(study.pk)

    async def follow() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        async for part in lines_of(await stream(clinician, study)):
            for event in events_in(part):
                told.append(event)
                await sync_to_async(read_one)()
        return told

    assert async_to_sync(follow)() == [{"ended": False}, {"ended": False}, {"ended": True}]


@pytest.mark.usefixtures("_one_connection")
def test_the_stream_says_nothing_but_that_something_changed(clinician: User, done_study: Study) -> None:
    async def follow() -> tuple[str, str]:
        response = await stream(clinician, done_study)
        return response["Content-Type"], "".join([part async for part in lines_of(response)])

    kind, text = async_to_sync(follow)()
    assert kind == "text/event-stream; charset=utf-8"
    assert text == 'retry: 2000\n\nevent: state\ndata: {"ended": true}\n\n'


@pytest.mark.usefixtures("_one_connection")
def test_a_stream_lets_go_after_its_time_and_leaves_it_to_the_browser_to_come_back(
    clinician: User, model_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_views, "_STREAM_SECONDS", 0.0)
    study = make_study(clinician, model_version, JobStatus.QUEUED)

    async def follow() -> str:
        return "".join([part async for part in lines_of(await stream(clinician, study))])

    assert async_to_sync(follow)() == "retry: 2000\n\n"


def test_an_outsider_gets_404_for_a_studys_stream(outsider: User, done_study: Study) -> None:
    async def ask() -> int:
        client = AsyncClient()
        await client.aforce_login(outsider)
        response = await client.get(reverse("study_events", args=[done_study.pk]))
        return response.status_code

    assert async_to_sync(ask)() == 404
