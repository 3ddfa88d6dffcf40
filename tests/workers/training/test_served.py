"""Through a site: the same answers, or the pictures that differ by name."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diagnoses.imaging.errors import ImageError, ImageFault
from tests.workers.training.fake_site import TOKEN, FakeSite, running
from tests.workers.training.fakes import REFUSAL, Answer, FakeReader, level_of, make_card, write_cases
from workers.training.dataset import Case
from workers.training.evaluation import Evaluation, evaluate
from workers.training.served import Served, check_served, served_json
from workers.training.site_client import ServedError, SiteClient

_LEVELS = ([0.1, 0.2, 0.3], [0.7, 0.8, 0.9])


class _Clock:
    """Waiting takes no time but moves the hands."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


def _evaluate(folder: Path, answer: Answer = level_of) -> Evaluation:
    return evaluate(FakeReader(answer), write_cases(folder, *_LEVELS), resamples=5)


def _client(site: FakeSite, clock: _Clock | None = None, **options: Any) -> SiteClient:
    clock = clock or _Clock()
    return SiteClient(site.url, TOKEN, "fake@1.0.0", wait=clock.wait, now=clock.now, **options)


def _check(evaluation: Evaluation, site: FakeSite, max_files: int = 4) -> Served:
    with running(site):
        return check_served(evaluation, _client(site), max_files)


def test_a_site_that_answers_alike_has_no_differences(tmp_path: Path) -> None:
    evaluation = _evaluate(tmp_path)
    site = FakeSite(FakeReader(level_of))
    served = _check(evaluation, site)
    assert (served.count, served.differences, served.largest_step) == (6, [], 0)
    assert site.tokens == {f"Token {TOKEN}"}
    assert set(site.models) == {"fake@1.0.0"}


def test_every_file_is_sent_as_it_is_and_no_more_at_once_than_the_site_takes(tmp_path: Path) -> None:
    evaluation = _evaluate(tmp_path)
    site = FakeSite(FakeReader(level_of))
    _check(evaluation, site, max_files=4)
    assert [len(files) for files in site.sent] == [4, 2]
    assert [data for files in site.sent for data in files] == [row.case.path.read_bytes() for row in evaluation.rows]


def test_refusals_and_files_that_are_not_even_taken_may_be_alike_too(tmp_path: Path) -> None:
    damaged = ImageError(ImageFault.DAMAGED, "The file is damaged.")
    cases = write_cases(tmp_path, *_LEVELS)
    first, second = (case.path.read_bytes() for case in cases[:2])

    def answer(data: bytes) -> float | ImageError:
        return {first: REFUSAL, second: damaged}.get(data) or level_of(data)

    site = FakeSite(FakeReader(answer), rejected=lambda data: "damaged" if data == second else "")
    assert _check(evaluate(FakeReader(answer), cases, resamples=5), site).differences == []


def test_a_batch_of_which_nothing_is_taken_is_an_answer_too(tmp_path: Path) -> None:
    evaluation = _evaluate(tmp_path)
    served = _check(evaluation, FakeSite(FakeReader(level_of), rejected=lambda data: "damaged"))
    assert [found.path for found in served.differences] == [row.case.path for row in evaluation.rows]
    assert "refused there (damaged)" in served.differences[0].words


def _set(**facts: Any) -> Callable[[dict[str, Any]], None]:
    return lambda image: image["result"].update(facts)


def _fail(image: dict[str, Any]) -> None:
    image |= {"status": "failed", "error": {"code": "lost", "message": "Lost."}}


def _refuse(image: dict[str, Any]) -> None:
    image |= {"status": "refused", "error": {"code": "inverted", "message": "No."}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set(label="other"), "label"),
        (_set(indeterminate_reason="unstable"), "indeterminate: none here, unstable there"),
        (_set(warnings=[{"code": "outside_age", "message": ""}]), "warnings: none here, outside_age there"),
        (_set(model="xception"), "read there by xception 1.0.0, not by fake 1.0.0"),
        (_set(model_version="0.9"), "read there by fake 0.9"),
        (_set(weights_sha256="f" * 64), "other weights"),
        (_set(probability=0.5), "probability: 0."),
        (_fail, "failed there (lost)"),
        (_refuse, "refused there (inverted)"),
    ],
)
def test_whatever_differs_is_said_with_the_picture(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    evaluation = _evaluate(tmp_path)
    name = evaluation.rows[3].case.path.name
    site = FakeSite(FakeReader(level_of), change=lambda image: change(image) if image["filename"] == name else None)
    served = _check(evaluation, site)
    assert [found.path for found in served.differences] == [evaluation.rows[3].case.path]
    assert words in served.differences[0].words
    written = json.loads(json.dumps(served_json(served)))
    assert written["differences"] == [{"path": str(served.differences[0].path), "words": served.differences[0].words}]


def test_what_is_refused_here_and_read_there_differs(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, *_LEVELS)
    refused = cases[0].path.read_bytes()
    evaluation = evaluate(FakeReader(lambda d: REFUSAL if d == refused else level_of(d)), cases, resamples=5)
    served = _check(evaluation, FakeSite(FakeReader(level_of)))
    assert [found.words for found in served.differences] == ["refused here (inverted), done there (NORMAL)"]


@pytest.mark.parametrize(
    ("engine", "step", "alike"),
    [("made up", 5e-7, True), ("made up", 5e-6, False), ("other", 5e-4, True), ("other", 5e-3, False)],
)
def test_another_engine_may_differ_a_little_and_the_same_one_hardly(
    tmp_path: Path, engine: str, step: float, alike: bool
) -> None:
    site = FakeSite(FakeReader(lambda data: level_of(data) + step), engine=engine)
    served = _check(_evaluate(tmp_path), site)
    assert (served.differences == []) is alike
    assert served.largest_step == pytest.approx(step, rel=1e-6)


# Waiting


def _files(cases: list[Case]) -> list[tuple[str, bytes]]:
    return [(case.path.name, case.path.read_bytes()) for case in cases]


def test_a_study_is_looked_at_ever_more_slowly_until_it_is_read(tmp_path: Path) -> None:
    clock = _Clock()
    with running(FakeSite(FakeReader(level_of), looks_until_done=15)) as site:
        answers = _client(site, clock).read(_files(write_cases(tmp_path, *_LEVELS)))
    assert [answer.status for answer in answers] == ["done"] * 6
    assert site.looks == 15
    assert clock.waits == sorted(clock.waits)
    assert clock.waits[-1] == 5


def test_a_study_that_stands_still_is_given_up_with_words(tmp_path: Path) -> None:
    clock = _Clock()
    with running(FakeSite(FakeReader(level_of), looks_until_done=10_000)) as site:
        client = _client(site, clock, patience_seconds=60)
        with pytest.raises(ServedError, match=r"stood still for 60 seconds with 6 of 6 pictures unread.*worker"):
            client.read(_files(write_cases(tmp_path, *_LEVELS)))
    assert 60 < clock.seconds < 70


def test_a_site_that_is_away_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    files = _files(write_cases(tmp_path, *_LEVELS))
    with running(FakeSite(FakeReader(level_of))) as site:
        client = _client(site)
        study, images = client._send(files)
        site.fail_with = [(503, b"busy"), (502, b""), (429, b"{}")]
        assert study is not None
        assert len(client._answers(study, {image["id"] for image in images})) == 6
    assert len(site.sent) == 1


def test_a_site_that_does_not_answer_in_time_is_given_up_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    with running(FakeSite(FakeReader(level_of), hang=threading.Event())) as site:
        client = _client(site, read_seconds=0.2)
        with pytest.raises(ServedError, match=f"cannot be reached at {site.url}"):
            client.read(_files(write_cases(tmp_path, *_LEVELS)))
    assert site.sent == []


def test_a_site_that_is_not_there_is_named(tmp_path: Path) -> None:
    with running(FakeSite(FakeReader(level_of))) as site:
        pass
    with pytest.raises(ServedError, match=f"cannot be reached at {site.url}"):
        _client(site).read(_files(write_cases(tmp_path, *_LEVELS)))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, json.dumps({"detail": f"Invalid token {TOKEN}."}).encode(), "401. Invalid token …"),
        (403, json.dumps({"detail": "This account may not send studies."}).encode(), "403. This account may not"),
        (400, json.dumps({"id": None, "images": [], "detail": "Too many."}).encode(), "400. Too many."),
        (302, b"", "302. It redirects"),
        (404, b"<html>not here</html>", "404. Check that the address"),
        (413, b"", "413. Together the files are too large"),
        (500, b"[]", "500."),
    ],
)
def test_an_answer_that_is_none_is_said_in_words_without_the_token(
    tmp_path: Path, status: int, body: bytes, words: str
) -> None:
    site = FakeSite(FakeReader(level_of), fail_with=[(status, body)])
    with running(site), pytest.raises(ServedError) as caught:
        _client(site).read(_files(write_cases(tmp_path, *_LEVELS)))
    assert words in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_study_that_may_not_be_looked_at_is_said(tmp_path: Path) -> None:
    with running(FakeSite(FakeReader(level_of))) as site:
        client = _client(site)
        study, images = client._send(_files(write_cases(tmp_path, *_LEVELS)))
        site.fail_with = [(404, b'{"detail": "Not found."}')]
        assert study is not None
        with pytest.raises(ServedError, match=r"404\. Not found"):
            client._answers(study, {image["id"] for image in images})


def test_an_answer_in_another_form_is_said(tmp_path: Path) -> None:
    site = FakeSite(FakeReader(level_of), change=lambda image: image["result"].pop("weights_sha256"))
    with pytest.raises(ServedError, match="'weights_sha256' is missing"):
        _check(_evaluate(tmp_path), site)


@pytest.mark.parametrize(
    "url", ["", "host:8000", "ftp://host", "http://", f"https://user:{TOKEN}@host", f"http://host/?token={TOKEN}"]
)
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ServedError, match="must look like") as caught:
        SiteClient(url, TOKEN, "fake@1.0.0")
    assert TOKEN not in str(caught.value)


def test_the_model_that_is_asked_for_is_the_one_that_read_here(tmp_path: Path) -> None:
    card = make_card("other", "3.1.4")
    evaluation = evaluate(FakeReader(level_of, card), write_cases(tmp_path, *_LEVELS), resamples=5)
    assert _check(evaluation, FakeSite(FakeReader(level_of, card))).differences == []
    served = _check(evaluation, FakeSite(FakeReader(level_of)))
    assert len(served.differences) == 6
