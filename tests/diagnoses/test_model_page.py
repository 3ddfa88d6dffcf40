"""The pages that say of each model what it learnt from, how well it does, and where it must not be used."""

import re
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.audit import user_actor
from diagnoses.models import ModelVersion
from diagnoses.models.registry import Standing
from diagnoses.selectors.predictive import predictive_values
from diagnoses.services.registry import promote, roll_back
from diagnoses.templatetags.percent import decimals, percent
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import make_model_version, queries_of


def figure(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


HOLDOUT = {
    "sensitivity": figure(0.97, 0.94, 0.985),
    "specificity": figure(0.92, 0.87, 0.955),
    "auc": figure(0.9934, 0.988, 0.9975),
    "band_coverage": figure(0.951, 0.93, 0.968),
    "accuracy_outside_band": figure(0.982, 0.97, 0.99),
    "of_a_later_card": figure(0.123, 0.1, 0.15),
}
FIGURES = {
    "validation": {"sensitivity": figure(0.983, 0.97, 0.99)},
    "holdout": HOLDOUT,
    "gate": {"negatives_refused": figure(0.991, 0.98, 0.997)},
    "stability": {"flips": figure(0.004, 0.001, 0.009)},
    "heatmap": {"deletion": figure(0.31, 0.28, 0.34)},
}


@pytest.fixture
def measured(model_version: ModelVersion) -> ModelVersion:
    return make_model_version("xception", "3.0.0", figures=FIGURES, threshold=0.55, band={"low": 0.41, "high": 0.63})


def page_of(client: Client, version: ModelVersion) -> str:
    response = client.get(reverse("model", args=[version.name, version.version]))
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def section(page: str, name: str) -> str:
    """What stands under the heading of that id."""
    start = page.index(f'aria-labelledby="{name}"')
    return page[start : page.index("</section>", start)]


def rows_in(part: str) -> list[str]:
    """The rows of the part's tables, as plain text."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", part)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def test_the_page_says_first_what_it_is_for_and_where_it_must_not_be_used(
    browser: Client, model_version: ModelVersion
) -> None:
    page = page_of(browser, model_version)
    assert "To be tested with." in section(page, "use")
    assert "It was never trained." in section(page, "limits")
    assert "never replaces your own look" in section(page, "limits")
    assert page.index('id="use"') < page.index('id="limits"') < page.index('id="figures"')


def test_each_figure_has_a_plain_name_its_meaning_and_its_interval(browser: Client, measured: ModelVersion) -> None:
    rows = rows_in(section(page_of(browser, measured), "figures"))
    assert rows[1:] == [
        "Finds pneumonia Of the images with pneumonia, the share called Pneumonia (sensitivity). "
        "97.0 % (94.0 % to 98.5 %) 98.3 % (97.0 % to 99.0 %)",
        "Sees when there is none Of the images without it, the share called Normal (specificity). "
        "92.0 % (87.0 % to 95.5 %) not measured",
        "Tells the two apart The chance that of two children, one with pneumonia, that one gets the higher probability "
        "(area under the ROC curve): 0.5 is a coin's toss, 1 is perfect. 0.993 (0.988 to 0.998) not measured",
        "Of a later card 12.3 % (10.0 % to 15.0 %) not measured",
    ]


def test_the_band_is_told_with_what_it_costs_and_gains(browser: Client, measured: ModelVersion) -> None:
    part = section(page_of(browser, measured), "band")
    assert "It says Pneumonia from a probability of 55.0 %. Between 41.0 % and 63.0 % it is too often wrong" in part
    assert [row.split(" Of ")[0].split(" The ")[0] for row in rows_in(part)[1:]] == [
        "Gives an answer",
        "Right where it answers",
    ]
    assert "95.1 % (93.0 % to 96.8 %)" in rows_in(part)[1]


def test_what_it_learnt_from_is_told_with_how_many_patients(browser: Client, model_version: ModelVersion) -> None:
    part = section(page_of(browser, model_version), "training")
    for words in ("Children aged 1 to 5.", "Made-up radiographs.", "CC BY 4.0"):
        assert words in part
    assert rows_in(part)[1:] == [
        "To learn from 60 100 70",
        "To choose its limits on 60 100 70",
        "To be measured on, unseen 60 100 70",
    ]


def test_the_checks_of_gate_stability_and_heatmap_are_told_where_the_card_has_them(
    browser: Client, measured: ModelVersion, model_version: ModelVersion
) -> None:
    page = page_of(browser, measured)
    assert rows_in(section(page, "refusals"))[1:] == ["Negatives refused 99.1 % (98.0 % to 99.7 %)"]
    assert "0.4 %" in section(page, "checks")
    assert "31.0 %" in section(page, "checks")
    assert "Further checks" not in page_of(browser, model_version)


@pytest.mark.parametrize(
    ("rule", "words"), [("warn", "the answer carries a warning"), ("refuse", "Patients who are known to be outside")]
)
def test_the_age_is_refused_or_warned_of_as_the_site_has_it(
    browser: Client, model_version: ModelVersion, settings: LazySettings, rule: str, words: str
) -> None:
    settings.CXR_OUTSIDE_AGE = rule
    assert words in section(page_of(browser, model_version), "refusals")


def test_the_worth_of_an_answer_is_told_for_the_site_and_for_the_usual_shares(
    browser: Client, measured: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_PREVALENCE = 0.12
    rows = rows_in(section(page_of(browser, measured), "worth"))[1:]
    shares = [(0.05, ""), (0.1, ""), (0.12, " (this site)"), (0.2, ""), (0.5, "")]
    values = [predictive_values(0.97, 0.92, share) for share, _ in shares]
    assert rows == [
        f"{percent(share)}{ours} {percent(value.ppv or 0)} {percent(value.npv or 0)}"
        for (share, ours), value in zip(shares, values, strict=True)
    ]


def test_a_site_whose_prevalence_is_a_usual_one_gets_no_second_row(
    browser: Client, measured: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_PREVALENCE = 0.2
    rows = rows_in(section(page_of(browser, measured), "worth"))
    assert len(rows) == 5
    assert rows[3].startswith("20.0 % (this site)")


def test_a_site_that_has_not_said_its_prevalence_is_told_how_to(browser: Client, measured: ModelVersion) -> None:
    assert "your administrator can set CXR_PREVALENCE" in section(page_of(browser, measured), "worth")


def test_the_limits_and_hashes_are_told_for_technicians(browser: Client, measured: ModelVersion) -> None:
    part = section(page_of(browser, measured), "technical")
    for words in ("0.550", "0.410 to 0.630", measured.card_sha256, measured.weights_sha256, "224 by 224 pixels"):
        assert words in part


def test_who_let_it_read_and_why_is_told_newest_first(
    browser: Client, measured: ModelVersion, model_version: ModelVersion, administrator: User
) -> None:
    actor = user_actor(administrator)
    promote(version=measured, actor=actor, reason="Better <b>figures</b>")
    roll_back(actor=actor, reason="Too slow here")
    raw = browser.get(reverse("model", args=["xception", "3.0.0"])).content.decode()
    assert "Better &lt;b&gt;figures&lt;/b&gt;" in raw
    for version in (measured, model_version):
        rows = [row[17:] for row in rows_in(section(page_of(browser, version), "history"))[1:]]
        assert rows == [
            "Rolled back to: mobilenet_v2 1.0.0, in place of xception 3.0.0 administrator Too slow here",
            "Made the default: xception 3.0.0, in place of mobilenet_v2 1.0.0 administrator Better figures",
        ]


def test_a_model_that_never_read_says_so(browser: Client, measured: ModelVersion) -> None:
    assert "It has never been the default" in section(page_of(browser, measured), "history")


@pytest.mark.parametrize(
    "gap",
    [
        {"figures": {}},
        {"figures": {"holdout": {"sensitivity": 0.97, "specificity": {"value": None}}}},
        {"training": {}},
        {"training": {"split": {"seed": 1, "train": "all"}}},
        {"limits": []},
    ],
    ids=str,
)
def test_a_card_that_says_less_still_has_its_page(
    browser: Client, model_version: ModelVersion, gap: dict[str, Any]
) -> None:
    sparse = make_model_version("sparse", "1.0.0", **gap)
    assert "What it is for" in page_of(browser, sparse)
    assert browser.get(reverse("models")).status_code == 200


def test_a_card_without_the_figures_says_that_the_worth_is_not_known(
    browser: Client, model_version: ModelVersion, settings: LazySettings
) -> None:
    settings.CXR_PREVALENCE = 0.1
    sparse = make_model_version("sparse", "1.0.0", figures={})
    assert "does not hold the figures" in section(page_of(browser, sparse), "worth")


@pytest.mark.parametrize(("name", "version"), [("xception", "9.9.9"), ("nothing", "1.0.0"), ("%00", "1.0.0")])
def test_a_model_that_was_never_registered_is_not_found(
    browser: Client, measured: ModelVersion, name: str, version: str
) -> None:
    assert browser.get(f"/models/{name}/{version}/").status_code == 404


def test_the_list_holds_all_that_ever_read_the_default_first(browser: Client, measured: ModelVersion) -> None:
    make_model_version("aged", "0.1.0", available=False)
    make_model_version("candidate", "1.0.0", standing=Standing.SHADOW)
    page = " ".join(unescape(browser.get(reverse("models")).content.decode()).split())
    rows = rows_in(page)[1:]
    assert [row.split(" ")[0] for row in rows] == ["mobilenet_v2", "candidate", "xception", "aged"]
    assert "Default: reads what is sent" in rows[0]
    assert "Shadow" in rows[1]
    assert "97.0 % (94.0 % to 98.5 %) 92.0 % (87.0 % to 95.5 %)" in rows[2]
    assert "Not on this site any more" in rows[3]
    assert f'href="{reverse("model", args=["xception", "3.0.0"])}"' in page


def test_a_site_without_models_says_so(browser: Client) -> None:
    assert "No model is registered yet." in browser.get(reverse("models")).content.decode()


def test_more_models_take_no_more_queries(browser: Client, model_version: ModelVersion) -> None:
    counts = []
    for number in range(2):
        make_model_version("more", f"{number}.0.0")
        counts.append(len(queries_of(lambda: browser.get(reverse("models")))))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("who", ["clinician", "outsider", "auditor", "administrator"])
def test_everybody_who_is_signed_in_may_read_of_the_models(
    request: pytest.FixtureRequest, model_version: ModelVersion, who: str
) -> None:
    client = browser_of(request.getfixturevalue(who))
    page = client.get(reverse("models"))
    assert page.status_code == 200
    assert f'href="{reverse("models")}"' in page.content.decode()
    assert "mobilenet_v2, version 1.0.0" in page_of(client, model_version)


def test_the_anonymous_are_led_to_the_sign_in(model_version: ModelVersion) -> None:
    for url in (reverse("models"), reverse("model", args=["mobilenet_v2", "1.0.0"])):
        assert Client().get(url)["Location"] == f"/sign-in/?next={url}"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_pages_are_only_to_read(browser: Client, model_version: ModelVersion, method: str) -> None:
    for url in (reverse("models"), reverse("model", args=["mobilenet_v2", "1.0.0"])):
        assert browser.generic(method, url).status_code == 405


@pytest.mark.parametrize(("value", "shown"), [(0.9934, "0.993"), (1.0, "1.000"), (0.99961, "> 0.999"), (0.5, "0.500")])
def test_a_figure_is_never_rounded_to_perfect(value: float, shown: str) -> None:
    assert decimals(value) == shown
