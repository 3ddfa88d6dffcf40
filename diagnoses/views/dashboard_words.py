"""What the dashboard calls things, and what it says to whom asks what they mean."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from diagnoses.imaging.errors import ImageFault
from diagnoses.selectors.drift import Basis
from diagnoses.selectors.population_stability import Drift

PARTS = {
    "cases": _("Cases"),
    "turnaround": _("Time to the answer"),
    "drift": _("Drift of the answers"),
    "refusals": _("Refusals"),
    "agreement": _("Clinicians and the model"),
    "health": _("Queue and workers"),
}
"""The titles of the dashboard's cards, in their order."""

HELP = {
    "cases": _(
        "A case is one reading of one radiograph, as the history lists it; a radiograph that was read again with "
        "another model counts once more. It counts on the day that it was sent."
    ),
    "positivity": _(
        "The share of answers that are Pneumonia, of all that are Normal, Pneumonia or Cannot say. The interval (95 %, "
        "Wilson) is how far chance alone may have moved it: with few cases it is wide."
    ),
    "turnaround": _(
        "From sent to answered or refused. Half of the cases were quicker than the median, and one in twenty was "
        "slower than the 95th percentile. Cases whose refusal a person overrode are left out."
    ),
    "refused": _(
        "Radiographs that got no answer, since the gate found them unfit to be read, or their file was no good. Files "
        "that were not even taken in are listed below, and are no cases."
    ),
    "overridden": _("Of the gate's refusals, the share that a person had read all the same, with a reason on record."),
    "agreement": _(
        "Signed readings whose finding is the model's answer, of all that were signed beside an answer. A reader who "
        "saw the answer first tends to follow it, so that the share flatters the model."
    ),
    "drift": _(
        "Whether the default model's probabilities are spread as they were on what they are held against (population "
        "stability index: below 0.1 no drift, from 0.25 much; few answers must differ by more). Another mix of "
        "patients, a new device or a fault moves it alike: an alarm says that something changed, not that the model is "
        "wrong."
    ),
    "waiting": _(
        "Of the whole site, now. The pace is how fast radiographs were answered of late. A worker that has not been "
        "heard of for twenty seconds is not counted."
    ),
}

DRIFT_WORDS = {
    Drift.TOO_FEW: _("There are too few answers to compare. Choose a longer time, or come again later."),
    Drift.NONE: _("The answers are spread as they were. Nothing to do."),
    Drift.WATCH: _(
        "The answers are spread a little otherwise than they were. Look whether other patients come than before, and "
        "again in a week."
    ),
    Drift.ALARM: _(
        "The answers are spread quite otherwise than they were. Find out what changed (patients, device, export) and "
        "read a sample of these cases without the model before you go on relying on it."
    ),
}

BASIS_WORDS = {
    Basis.CARD: _("the answers to the validation patients, as the model's card has them"),
    Basis.CARD_AT_PREVALENCE: _(
        "the answers to the validation patients on the model's card, mixed as this site says that pneumonia is common "
        "here"
    ),
    Basis.FIRST_ANSWERS: _(
        "the first %(count)s answers here since this model became the default; its card does not say how its answers "
        "were spread"
    ),
}

FAULTS: dict[str, object] = {
    ImageFault.EMPTY_FILE: _("Empty file"),
    ImageFault.TOO_LARGE: _("Too large"),
    ImageFault.UNSUPPORTED_TYPE: _("No kind of file that is read here"),
    ImageFault.DAMAGED: _("Damaged"),
    ImageFault.TOO_SMALL: _("Too small"),
    ImageFault.TOO_MANY_PIXELS: _("Too many pixels"),
    ImageFault.SEVERAL_FRAMES: _("Several pictures in one file"),
    ImageFault.NOT_A_RADIOGRAPH: _("No radiograph"),
    ImageFault.NO_PIXELS: _("No picture in it"),
    ImageFault.UNSUPPORTED_ENCODING: _("An encoding that is not read here"),
    ImageFault.NOT_A_CHEST_XRAY: _("No chest X-ray"),
    ImageFault.NOT_FRONTAL: _("No frontal view"),
    ImageFault.INVERTED: _("A negative"),
    ImageFault.CROPPED_OR_ROTATED: _("Cropped or turned"),
    ImageFault.TOO_LOW_QUALITY: _("Low quality"),
    ImageFault.OUTSIDE_AGE: _("Outside the ages trained on"),
    "internal_error": _("Failed on the server"),
    "does_not_open": _("What belongs to the picture does not open"),
    "file_unreadable": _("The stored file cannot be read"),
    "file_altered": _("The stored file was altered"),
    "worker_lost": _("The worker was lost"),
    "model_withdrawn": _("Its model is no longer shipped"),
    "reader_crashed": _("Reading it ended the reader"),
    "reading_too_long": _("Reading it took too long"),
    "reader_out_of_memory": _("Reading it took too much memory"),
}

WHOLE_SITE = pgettext_lazy("whose cases are counted", "The whole site")
OWN_CASES = pgettext_lazy("whose cases are counted", "The cases that you sent")


def fault_name(code: str) -> str:
    """A code of a refusal or an error in a few words; one that has none stands for itself."""
    return str(FAULTS.get(code, code.replace("_", " ").capitalize()))
