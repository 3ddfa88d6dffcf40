"""`manage.py evaluate` and `manage.py compare`, as they are typed."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from tests.workers.training.fake_site import TOKEN, FakeSite, running
from tests.workers.training.fakes import REFUSAL, FakeReader, level_of, make_card, write_case, write_cases
from workers.inference.card import CARD_NAME, Card, read_card
from workers.management import choosing
from workers.training.dataset import Part, find_cases, split

_FIGURES = {"accuracy", "auc", "sensitivity", "specificity", "ece"}


class _Reader(FakeReader):
    """In the place of the reader that serves: the darkest pictures are refused, all others read by their level."""

    def __init__(self, folder: Path, engine: str, *, refuse_outside_age: bool) -> None:
        super().__init__(lambda data: REFUSAL if level_of(data) < 0.02 else level_of(data), read_card(folder))
        self.options = (engine, refuse_outside_age)


@pytest.fixture(autouse=True)
def _fake_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "Reader", _Reader)


@pytest.fixture(autouse=True)
def models(tmp_path: Path, settings: LazySettings) -> Path:
    """What is shipped: `fake` 1.0.0 (the site's) and `other` in two versions, in folders whose names mean nothing."""
    folder = tmp_path / "models"
    settings.CXR_MODELS_DIR = folder
    settings.CXR_MODEL = "fake"
    _ship(folder / "x", make_card())
    _ship(folder / "y", make_card("other", "1.0.0", threshold=0.3))
    _ship(folder / "z", make_card("other", "2.0.0", threshold=0.7))
    return folder


def _ship(folder: Path, card: Card) -> None:
    folder.mkdir(parents=True)
    (folder / CARD_NAME).write_text(card.model_dump_json())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three normals, one of them called pneumonia, and four pneumonias."""
    write_cases(tmp_path / "data", [0.1, 0.2, 0.62], [0.9, 0.8, 0.72, 0.65])
    return tmp_path / "data"


def _run(*words: Any) -> tuple[str, str]:
    """What it wrote to standard output and to standard error."""
    output, errors = StringIO(), StringIO()
    call_command(*map(str, words), stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


# evaluate


def test_evaluate_prints_every_figure_with_its_interval_and_writes_them_as_json(folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    output, errors = _run("evaluate", "--data", folder, "--json", written)
    figures = json.loads(written.read_text())
    assert {"n", "threshold", "rows", *_FIGURES} <= set(figures)
    assert (figures["n"], figures["unreadable"], figures["threshold"]) == (7, 0, 0.5)
    assert figures["accuracy"] == pytest.approx(6 / 7)
    assert "fake 1.0.0 on 7 pictures, made up" in output
    lines = {line.split()[0]: line for line in output.splitlines() if line}
    for name in _FIGURES:
        assert f"{figures[name]:.4f}  (95 % interval" in lines[name]
    assert errors == ""


def test_evaluate_names_what_was_refused_and_leaves_it_out(folder: Path, tmp_path: Path) -> None:
    write_case(folder, "p9", 0.0, is_pneumonia=True)
    written = tmp_path / "figures.json"
    output, errors = _run("evaluate", "--data", folder, "--json", written)
    assert f"p9_1.png: {REFUSAL.message}" in errors
    figures = json.loads(written.read_text())
    assert (figures["n"], figures["unreadable"]) == (7, 1)
    assert figures["refused"]["inverted"]["value"] == pytest.approx(1 / 8)
    assert f"refused{' ' * 23} 0.1250" in output


def test_evaluate_of_a_part_measures_the_patients_that_the_models_own_split_put_there(
    folder: Path, tmp_path: Path
) -> None:
    write_cases(folder, [0.1 + i / 1000 for i in range(50)], [0.9 - i / 1000 for i in range(50)])
    expected = split(find_cases(folder), make_card().training["split"]["seed"])[Part.HOLDOUT]
    assert len({case.is_pneumonia for case in expected}) == 2
    written = tmp_path / "figures.json"
    _run("evaluate", "--data", folder, "--part", "holdout", "--json", written)
    rows = json.loads(written.read_text())["rows"]
    assert [row["path"] for row in rows] == [str(case.path) for case in expected]
    assert len(rows) < 50


def test_evaluate_runs_the_further_checks_that_are_asked_for(folder: Path, tmp_path: Path) -> None:
    for kind, level in (("knees", 0.0), ("cats", 0.8)):
        case = write_case(tmp_path / "made", kind, level, is_pneumonia=False)
        (tmp_path / "negatives" / kind).mkdir(parents=True)
        case.path.rename(tmp_path / "negatives" / kind / "1.png")
    written, report = tmp_path / "figures.json", tmp_path / "report.html"
    output, _ = _run(
        "evaluate",
        "--data",
        folder,
        "--stress",
        "--negatives",
        tmp_path / "negatives",
        "--json",
        written,
        "--html",
        report,
    )
    assert f"negatives refused{' ' * 13} 0.5000" in output
    assert "  knees " in output
    assert f"flipped, jpeg_50{' ' * 14} 0.0000" in output
    figures = json.loads(written.read_text())
    assert figures["negatives"]["answered"] == [str(tmp_path / "negatives" / "cats" / "1.png")]
    assert set(figures["card_figures"]) == {"gate", "stability"}
    assert "Evaluation of fake 1.0.0" in report.read_text()
    assert "saved again, resized or moved" in report.read_text()


@pytest.mark.parametrize(
    ("wanted", "name"),
    [("", "fake 1.0.0"), ("fake", "fake 1.0.0"), ("other@1.0.0", "other 1.0.0"), ("other@2.0.0", "other 2.0.0")],
)
def test_evaluate_measures_the_model_of_the_site_unless_told_another(folder: Path, wanted: str, name: str) -> None:
    output, _ = _run("evaluate", "--data", folder, "--model", wanted)
    assert f"{name} on 7 pictures" in output


def test_evaluate_takes_a_model_that_is_not_shipped_yet_by_its_folder(folder: Path, tmp_path: Path) -> None:
    _ship(tmp_path / "out", make_card("candidate", "3.0.0"))
    output, _ = _run("evaluate", "--data", folder, "--model", tmp_path / "out")
    assert "candidate 3.0.0 on 7 pictures" in output


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("none", "there are: fake@1.0.0, other@1.0.0, other@2.0.0"),
        ("fake@9", "There is no model 'fake@9'"),
        ("other", "other@1.0.0 or other@2.0.0"),
    ],
)
def test_evaluate_with_a_model_that_is_not_there_or_not_only_one_says_which_are(
    folder: Path, wanted: str, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        _run("evaluate", "--data", folder, "--model", wanted)


def test_the_reader_is_built_as_the_sites_workers_build_it(settings: LazySettings) -> None:
    settings.CXR_ENGINE, settings.CXR_OUTSIDE_AGE = "tensorflow", "refuse"
    folder, reader = choosing.load_reader("")
    assert folder.name == "x"
    assert isinstance(reader, _Reader)
    assert reader.options == ("tensorflow", True)
    settings.CXR_OUTSIDE_AGE = "warn"
    assert choosing.load_reader("")[1].options == ("tensorflow", False)  # type: ignore[attr-defined]


def test_evaluate_of_a_folder_of_another_layout_says_what_is_missing(tmp_path: Path) -> None:
    write_case(tmp_path, "n", 0.1, is_pneumonia=False)
    with pytest.raises(CommandError, match="PNEUMONIA/ has none"):
        _run("evaluate", "--data", tmp_path)


def test_evaluate_where_no_picture_of_a_class_can_be_read_says_so(tmp_path: Path) -> None:
    write_cases(tmp_path, [0.1], [0.0])
    with pytest.raises(CommandError, match="No picture of PNEUMONIA/"):
        _run("evaluate", "--data", tmp_path)


def test_evaluate_of_negatives_that_are_not_there_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="subfolder for each kind"):
        _run("evaluate", "--data", folder, "--negatives", tmp_path / "none")


# evaluate --served


def _site_reader() -> FakeReader:
    return FakeReader(lambda data: REFUSAL if level_of(data) < 0.02 else level_of(data))


def test_evaluate_through_a_site_that_answers_alike_says_so(folder: Path) -> None:
    write_case(folder, "p9", 0.0, is_pneumonia=True)
    with running(FakeSite(_site_reader())) as site:
        output, errors = _run("evaluate", "--data", folder, "--served", site.url, "--token", TOKEN)
    assert "answers all 8 pictures alike" in output
    assert site.models == ["fake@1.0.0"]
    assert TOKEN not in output + errors


def test_evaluate_through_a_site_that_answers_otherwise_fails_and_lists_the_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.CXR_MAX_FILES = 2
    monkeypatch.setenv("CXR_API_TOKEN", TOKEN)
    site = FakeSite(_site_reader(), change=_call_the_first_normal_otherwise)
    errors, written = StringIO(), tmp_path / "figures.json"
    with running(site), pytest.raises(CommandError, match="answers 1 of 7 pictures otherwise") as caught:
        call_command("evaluate", data=folder, served=site.url, json=written, stdout=StringIO(), stderr=errors)
    assert caught.value.returncode == 1
    assert f"{folder / 'NORMAL' / 'n0_1.png'}: label" in errors.getvalue()
    assert max(map(len, site.sent)) == 2
    assert site.tokens == {f"Token {TOKEN}"}
    assert len(json.loads(written.read_text())["served"]["differences"]) == 1
    assert TOKEN not in errors.getvalue() + str(caught.value) + written.read_text()


def _call_the_first_normal_otherwise(image: dict[str, Any]) -> None:
    if image["filename"] == "n0_1.png":
        image["result"]["label"] = "PNEUMONIA"


def test_evaluate_through_a_site_needs_a_token_and_says_so_before_it_reads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXR_API_TOKEN", raising=False)
    with pytest.raises(CommandError, match="--token, or CXR_API_TOKEN"):
        _run("evaluate", "--data", folder, "--served", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="must look like"):
        _run("evaluate", "--data", "no-such-folder", "--served", "127.0.0.1", "--token", TOKEN)


def test_a_site_that_refuses_the_token_is_an_error_without_the_token(folder: Path) -> None:
    site = FakeSite(_site_reader(), fail_with=[(401, f'{{"detail": "Invalid token {TOKEN}."}}'.encode())])
    with running(site), pytest.raises(CommandError, match="401") as caught:
        _run("evaluate", "--data", folder, "--served", site.url, "--token", TOKEN)
    assert TOKEN not in str(caught.value)


# compare


def test_compare_prints_differences_tests_and_disagreements_and_writes_them(folder: Path, tmp_path: Path) -> None:
    """At 0.7 the normal at 0.62 is right, and the pneumonia at 0.65 is missed; all near 0.7 are in doubt there."""
    written = tmp_path / "comparison.json"
    output, _ = _run("compare", "fake", "other@2.0.0", "--data", folder, "--json", written)
    comparison = json.loads(written.read_text())
    assert comparison["models"] == ["fake 1.0.0", "other 2.0.0"]
    assert comparison["differences"]["specificity"]["value"] == pytest.approx(1 / 3)
    assert comparison["differences"]["sensitivity"]["value"] == pytest.approx(-1 / 4)
    assert comparison["mcnemar"] == {"only_first": 1, "only_second": 1, "p": 1.0}
    assert "A is fake 1.0.0, B is other 2.0.0; 7 pictures" in output
    assert "0.6667 and 1.0000: B +0.3333" in output
    assert "Right at A alone 1, at B alone 1: p = 1 (McNemar, exact)" in output
    assert "(DeLong)" in output
    assert f"{folder / 'NORMAL' / 'n2_1.png'}: PNEUMONIA (0.620) and NORMAL (0.620, band)" in output
    assert f"They tell a reader something else on {len(comparison['disagreements'])} pictures" in output


def test_compare_of_a_part_needs_one_split_for_both(folder: Path, models: Path) -> None:
    card = make_card("apart").model_copy(update={"training": {"split": {"seed": 2}}})
    _ship(models / "w", card)
    with pytest.raises(CommandError, match="different splits"):
        _run("compare", "fake", "apart", "--data", folder, "--part", "holdout")
    write_cases(folder, [0.1 + i / 1000 for i in range(50)], [0.9 - i / 1000 for i in range(50)])
    output, _ = _run("compare", "fake", "other@1.0.0", "--data", folder, "--part", "holdout")
    assert f"{len(split(find_cases(folder), 1)[Part.HOLDOUT])} pictures were read by both" in output


def test_compare_with_a_model_that_is_not_there_or_a_folder_of_another_layout_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no model 'none'"):
        _run("compare", "fake", "none", "--data", tmp_path)
    with pytest.raises(CommandError, match="NORMAL/ has none"):
        _run("compare", "fake", "other@1.0.0", "--data", tmp_path)
