"""Every page, and who looks at it. `{…}` stands for what a stage knows: the study of each kind of answer, a model."""

from collections.abc import Mapping
from typing import NamedTuple

PASSWORD = "a long password for the stage"


class Screen(NamedTuple):
    """A page. `user` is empty for nobody."""

    name: str
    path: str
    user: str = "stage-clinician"


SCREENS = (
    Screen("sign-in", "/sign-in/", ""),
    Screen("first-minutes", "/", "stage-newcomer"),
    Screen("worklist", "/"),
    Screen("send", "/send/"),
    Screen("study", "/studies/{pneumonia}/"),
    Screen("study-normal", "/studies/{normal}/"),
    Screen("study-cannot-say", "/studies/{cannot_say}/"),
    Screen("study-refused", "/studies/{refused}/"),
    Screen("report", "/studies/{pneumonia}/report/"),
    Screen("history", "/history/"),
    Screen("history-narrowed", "/history/?label=PNEUMONIA&search=BN"),
    Screen("history-nothing", "/history/?search=nothing-has-this-name"),
    Screen("compare", "/compare/?a={normal}&b={pneumonia}"),
    Screen("exports", "/exports/"),
    Screen("dashboard", "/dashboard/?days=90", "stage-radiologist"),
    Screen("agreement", "/agreement/", "stage-radiologist"),
    Screen("worklist-radiologist", "/", "stage-radiologist"),
    Screen("pause", "/pause/", "stage-administrator"),
    Screen("help", "/help/"),
    Screen("models", "/models/"),
    Screen("model", "/models/{model}/"),
    Screen("preferences", "/preferences/"),
    Screen("security", "/account/"),
    Screen("is-it-you", "/account/password/"),  # before those that ask first
    Screen("sessions", "/account/sessions/"),
    Screen("api-tokens", "/account/tokens/"),
    Screen("emergency", "/emergency/"),
    Screen("not-found", "/there-is-no-such-page/"),
)

_STUDIES = """
SELECT study_id::text, CASE WHEN status <> 'done' THEN status WHEN indeterminate THEN 'cannot_say' ELSE lower(label) END
FROM diagnoses_job JOIN diagnoses_image ON diagnoses_image.id = image_id ORDER BY diagnoses_job.created_at DESC
"""
KNOWN = {
    "studies": _STUDIES,
    "models": "SELECT name || '/' || version FROM diagnoses_modelversion WHERE standing = 'live'",
}
"""Statements that find what the paths name."""


def addresses(studies: list[tuple[str, str]], model: str) -> Mapping[str, str]:
    """What each `{…}` stands for: of the studies of a kind the newest."""
    found = {kind: study for study, kind in reversed(studies)}
    return {**found, "model": model}
