"""The check of the books notices each way in which they can be wrong. One that cannot fail would show nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests import pictures
from tests.chaos.books import Books, ImageRow, JobRow, KeptFile, Rejection, Step, StudyRow
from tests.chaos.inputs import Kind, SentFile
from tests.chaos.invariant import Breach, Damage, breaches, orphan_breaches
from tests.chaos.ledger import Answered, Ledger, SentStudy

VALID = SentFile("valid.png", Kind.VALID, b"a radiograph")
CUT = SentFile("cut.png", Kind.CUT, b"half a radiograph")
GARBLED = SentFile("garbled.png", Kind.GARBLED, b"nonsense")
CRASHING = SentFile("crashing.png", Kind.CRASHING, b"poison")
HEATMAP = pictures.png(pictures.phantom(7, 7))
ONCE = (Step("claim", 1, "worker"), Step("complete", 1, "worker"))
TWICE = (
    Step("claim", 1, "dead"),
    Step("recover", 1, "scheduler"),
    Step("claim", 2, "worker"),
    Step("complete", 2, "worker"),
)


def job(name: str, file: SentFile, **changes: Any) -> JobRow:
    """A job that is done, with its result."""
    row = JobRow(
        id=f"job of {name}",
        image_id=name,
        status="done",
        error_code="",
        token=1,
        model="model 1",
        ended_at=2.0,
        steps=ONCE,
        results=1,
        read_sha256=file.sha256,
        heatmap=HEATMAP,
        ends_recorded=1,
    )
    return replace(row, **changes)


def ended(name: str, file: SentFile, move: str, status: str, code: str) -> JobRow:
    """A job that ended without a result."""
    steps = (Step("claim", 1, "worker"), Step(move, 1, "scheduler" if move == "abandon" else "worker"))
    return job(name, file, status=status, error_code=code, steps=steps, results=0, read_sha256="", heatmap=None)


def image(name: str, position: int, file: SentFile, *jobs: JobRow) -> ImageRow:
    return ImageRow(name, position, file.sha256, f"originals/{name}", jobs)


def sent(key: str, study: str, *files: tuple[SentFile, Answered]) -> SentStudy:
    return SentStudy(key, tuple(f for f, _ in files), "", False, study, tuple(answer for _, answer in files), 1.0)


def a_ledger() -> Ledger:
    ledger = Ledger()
    first = (VALID, Answered("one")), (CUT, Answered(None, "damaged")), (GARBLED, Answered("two"))
    ledger.enter(sent("first", "study 1", *first))
    ledger.enter(sent("second", "study 2", (VALID, Answered("three")), (CRASHING, Answered("four"))))
    ledger.enter(SentStudy("never answered", (VALID, VALID)))
    return ledger


def the_books() -> Books:
    """What is right for that ledger; the study that nobody was answered for was kept all the same."""
    garbled = ended("two", GARBLED, "refuse", "refused", "damaged")
    crashing = ended("four", CRASHING, "fail", "failed", "reader_crashed")
    first = (image("one", 0, VALID, job("one", VALID)), image("two", 2, GARBLED, garbled))
    second = (
        image("three", 0, VALID, job("three", VALID, token=2, steps=TWICE)),
        image("four", 1, CRASHING, crashing),
    )
    third = tuple(image(name, place, VALID, job(name, VALID)) for place, name in enumerate(("five", "six")))
    studies = (
        StudyRow("study 1", "first", 1.0, first, (Rejection(1, "damaged"),)),
        StudyRow("study 2", "second", 1.0, second, ()),
        StudyRow("study 3", "never answered", 1.0, third, ()),
    )
    images = [picture for study in studies for picture in study.images]
    return Books(studies, tuple(KeptFile(row.stored_name, row.sha256, 99.0) for row in images))


def with_image(books: Books, name: str, change: Callable[[ImageRow], ImageRow | None]) -> Books:
    """The same books with one image changed, or without it."""
    studies = []
    for study in books.studies:
        rows = [change(row) if row.id == name else row for row in study.images]
        studies.append(replace(study, images=tuple(row for row in rows if row)))
    return replace(books, studies=tuple(studies))


def with_job(books: Books, name: str, **changes: Any) -> Books:
    """The same books with one image's job changed."""
    return with_image(books, name, lambda row: replace(row, jobs=(replace(row.jobs[0], **changes),)))


def of(books: Books, ledger: Ledger | None = None) -> list[Breach]:
    return breaches(ledger or a_ledger(), books)


def damages(books: Books, ledger: Ledger | None = None) -> set[Damage]:
    return {breach.damage for breach in of(books, ledger)}


def test_books_that_are_right_have_no_breach() -> None:
    assert of(the_books()) == []


def test_a_study_that_was_never_answered_may_be_absent_but_not_in_part() -> None:
    books = the_books()
    assert of(replace(books, studies=books.studies[:2])) == []
    [breach] = of(with_image(books, "six", lambda _: None))
    assert breach.damage is Damage.LOST
    assert "kept in part" in breach.words


def test_an_accepted_image_that_is_not_there_is_lost() -> None:
    found = of(with_image(the_books(), "one", lambda _: None))
    assert Breach(Damage.LOST, "image one, answered with 202, is not in the database", "one") in found


def test_an_accepted_study_that_is_not_there_is_lost() -> None:
    books = the_books()
    found = of(replace(books, studies=books.studies[1:]))
    assert "study study 1, answered with 202, is not in the database" in [breach.words for breach in found]


def test_two_studies_of_one_key_are_a_duplicate() -> None:
    books = the_books()
    again = replace(books.studies[2], id="study 4")
    assert Damage.DUPLICATED in damages(replace(books, studies=(*books.studies, again)))


def test_a_key_that_was_answered_as_one_study_and_kept_as_another_is_a_duplicate() -> None:
    books = the_books()
    other = replace(books.studies[0], id="study 9")
    assert damages(replace(books, studies=(other, *books.studies[1:]))) == {Damage.DUPLICATED}


def test_a_study_that_nobody_sent_is_noticed() -> None:
    books = the_books()
    strange = StudyRow("study 4", "strange", 1.0, (), ())
    [breach] = of(replace(books, studies=(*books.studies, strange)))
    assert "nobody sent study study 4" in breach.words


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_job_without_an_end_is_lost(status: str) -> None:
    assert damages(with_job(the_books(), "one", status=status)) == {Damage.LOST}


def test_an_image_without_a_job_is_lost_and_one_with_two_is_a_duplicate() -> None:
    books = the_books()
    assert damages(with_image(books, "one", lambda row: replace(row, jobs=()))) == {Damage.LOST}
    second = job("one", VALID, id="another")
    twice = with_image(books, "one", lambda row: replace(row, jobs=(*row.jobs, second)))
    assert damages(twice) == {Damage.DUPLICATED}


@pytest.mark.parametrize(
    ("name", "results", "damage"),
    [("one", 0, Damage.LOST), ("one", 2, Damage.DUPLICATED), ("two", 1, Damage.DUPLICATED)],
)
def test_a_done_job_has_one_result_and_any_other_none(name: str, results: int, damage: Damage) -> None:
    assert damages(with_job(the_books(), name, results=results)) == {damage}


@pytest.mark.parametrize(("times", "damage"), [(0, Damage.WRONG), (2, Damage.DUPLICATED)])
@pytest.mark.parametrize("name", ["one", "two", "four"])
def test_each_end_is_on_record_once(name: str, times: int, damage: Damage) -> None:
    assert damages(with_job(the_books(), name, ends_recorded=times)) == {damage}


@pytest.mark.parametrize(
    "steps",
    [
        (),
        ONCE[:1],
        (*ONCE, ONCE[1]),
        (ONCE[0], *ONCE),
        (*TWICE[:2], *TWICE[:2], *TWICE[2:]),
        (ONCE[0], Step("complete", 1, "another worker")),
        (ONCE[0], Step("complete", 2, "worker")),
        (ONCE[0], Step("fail", 1, "worker")),
        (ONCE[0], Step("abandon", 1, "worker")),
        (Step("claim", 2, "worker"), Step("complete", 2, "worker")),
    ],
)
def test_a_history_that_is_not_legal_is_noticed(steps: tuple[Step, ...]) -> None:
    assert damages(with_job(the_books(), "one", steps=steps)) == {Damage.WRONG}


def test_a_token_that_is_not_the_last_claims_is_noticed() -> None:
    [breach] = of(with_job(the_books(), "three", token=3))
    assert breach.words.endswith("its claims have the tokens [1, 2], and it holds 3")


def test_a_job_given_up_by_the_scheduler_is_legal_for_poison_and_not_for_a_valid_file() -> None:
    books = the_books()
    given_up = ended("four", CRASHING, "abandon", "failed", "worker_lost")
    assert of(with_image(books, "four", lambda row: replace(row, jobs=(given_up,)))) == []
    given_up = ended("one", VALID, "abandon", "failed", "worker_lost")
    [breach] = of(with_image(books, "one", lambda row: replace(row, jobs=(given_up,))))
    assert breach == Breach(Damage.WRONG, "a file that is valid ended as failed worker_lost", "one")


@pytest.mark.parametrize(("name", "code"), [("one", "a code"), ("four", "")])
def test_a_failure_has_a_code_and_a_done_job_none(name: str, code: str) -> None:
    assert Damage.WRONG in damages(with_job(the_books(), name, error_code=code))


@pytest.mark.parametrize("name", ["two", "four"])
def test_a_file_that_should_not_be_read_and_was_is_noticed(name: str) -> None:
    file = {"two": GARBLED, "four": CRASHING}[name]
    found = of(with_image(the_books(), name, lambda row: replace(row, jobs=(job(name, file),))))
    assert [breach.words for breach in found] == [f"a file that is {file.kind} ended as done "]


def test_a_valid_file_that_was_refused_at_once_is_noticed_and_one_without_room_is_not() -> None:
    books, ledger = the_books(), Ledger()
    for code in ("damaged", "storage_unavailable"):
        ledger.enter(sent(code, "", (VALID, Answered(None, code))))
    [breach] = breaches(ledger, replace(books, studies=()))
    assert breach.words == "a file that is valid was refused at once, damaged, with key damaged"


def test_an_original_that_is_gone_or_altered_is_lost() -> None:
    books = the_books()
    assert damages(replace(books, files=books.files[1:])) == {Damage.LOST}
    altered = replace(books.files[0], sha256="another")
    assert damages(replace(books, files=(altered, *books.files[1:]))) == {Damage.LOST}


def test_an_original_that_is_not_what_was_sent_is_noticed_though_row_and_file_agree() -> None:
    books = with_image(the_books(), "one", lambda row: replace(row, sha256="another"))
    altered = replace(books.files[0], sha256="another")
    words = [breach.words for breach in of(replace(books, files=(altered, *books.files[1:])))]
    assert "the row of image one names another hash than what was sent" in words


def test_a_result_of_another_file_is_noticed() -> None:
    assert damages(with_job(the_books(), "one", read_sha256="another")) == {Damage.WRONG}


@pytest.mark.parametrize("heatmap", [None, b"", b"no picture", HEATMAP[:20]])
def test_a_heatmap_that_is_no_picture_is_lost(heatmap: bytes | None) -> None:
    assert damages(with_job(the_books(), "one", heatmap=heatmap)) == {Damage.LOST}


def test_a_job_read_again_after_an_orderly_stop_is_a_duplicate() -> None:
    ledger = a_ledger()
    ledger.undisturbed |= {("job of one", 1), ("job of three", 2)}
    assert of(the_books(), ledger) == []
    ledger.undisturbed.add(("job of three", 1))
    [breach] = of(the_books(), ledger)
    assert (breach.damage, breach.image_id) == (Damage.DUPLICATED, "three")


def test_an_older_worker_that_took_what_it_lacks_is_noticed_even_where_it_did_not_finish() -> None:
    ledger = a_ledger()
    ledger.newer_model, ledger.older_workers = "model 2", {"dead"}
    books = the_books()
    assert of(books, ledger) == []
    [breach] = of(with_job(books, "three", model="model 2"), ledger)
    assert breach.image_id == "three"


def test_a_senders_complaint_is_a_breach() -> None:
    ledger = a_ledger()
    ledger.complain("answered 409")
    assert of(the_books(), ledger) == [Breach(Damage.WRONG, "answered 409")]


def test_a_file_that_no_row_names_is_an_orphan_once_it_is_old_enough() -> None:
    books = the_books()
    littered = replace(books, files=(*books.files, KeptFile("originals/x.part", "", 50.0)))
    assert littered.orphans(0) == ["originals/x.part"]
    assert orphan_breaches(littered, 60) == []
    assert [breach.damage for breach in orphan_breaches(littered, 40)] == [Damage.WRONG]
