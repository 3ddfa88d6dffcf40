"""A report's facts with their labels, for paper and for the page alike, in the active language."""

from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from diagnoses.reports.contents import Answer, Interval, OtherAnswer, Report, SignedReading
from diagnoses.templatetags.percent import percent

_SHORT_HASH = 12


@dataclass(frozen=True)
class Fact:
    """A value with its label."""

    label: str
    value: str


def study_facts(report: Report) -> list[Fact]:
    """Whom and what the report is about; what is not known is said to be so."""
    patient = report.patient
    return [
        Fact(_("Patient ID"), patient.patient_id or _("not given")),
        Fact(_("Sex"), patient.sex_words or _("not given")),
        Fact(_("Born"), day_words(patient.birth_date) if patient.birth_date else _("not given")),
        Fact(_("Age when sent"), patient.age_words or _("not known")),
        Fact(_("Accession number"), report.accession_number or _("not given")),
        Fact(_("Sent"), _("%(when)s by %(who)s") % {"when": time_words(report.sent_at), "who": report.sent_by}),
    ]


def answer_facts(answer: Answer) -> list[Fact]:
    """The answer, and the limits that it was decided by."""
    facts = [
        Fact(_("Answer"), answer.words),
        Fact(_("Probability of pneumonia"), percent(answer.probability)),
        Fact(_("Threshold: pneumonia from"), percent(answer.threshold)),
    ]
    if answer.band_low < answer.band_high:
        band = {"low": percent(answer.band_low), "high": percent(answer.band_high)}
        facts.append(Fact(_("Cannot say between"), _("%(low)s and %(high)s") % band))
    return facts


def notes_of(answer: Answer) -> list[Fact]:
    """What to know beside the answer."""
    notes = []
    if answer.indeterminate:
        alone = _("By the threshold alone it would be %(label)s.") % {"label": answer.label_words}
        notes.append(Fact(_("The product cannot say."), f"{answer.indeterminate.words} {alone}"))
    notes += [Fact(_("Mind:"), warning.words) for warning in answer.warnings]
    if answer.override:
        said = {"who": answer.override.by, "reason": answer.override.reason}
        words = _("%(who)s overrode that: “%(reason)s”") % said
        notes.append(Fact(_("Refused at first (%(why)s).") % {"why": answer.override.refusal.words}, words))
    return notes


def worth_words(answer: Answer) -> list[str]:
    """How much the answer is worth, as far as it was measured, and what the interval is of."""
    words = [f"{interval_words(answer.certainty)}."] if answer.certainty else []
    words.append(answer.certainty_words)
    if answer.share_right is not None and answer.prevalence is not None:
        here = {
            "prevalence": percent(answer.prevalence),
            "share": percent(answer.share_right),
            "label": answer.label_words,
        }
        known = _(
            "Where %(prevalence)s of patients have pneumonia, as here, about %(share)s of the answers “%(label)s” are "
            "right."
        )
        words.append(known % here)
    return words


def origin_facts(answer: Answer) -> list[Fact]:
    """Where the answer comes from, so that it can be found again."""
    return [
        Fact(_("Model"), f"{answer.model} {answer.model_version}"),
        Fact(_("Engine"), answer.engine),
        Fact(_("Read"), time_words(answer.read_at)),
        Fact(_("Weights (SHA-256)"), answer.weights_sha256[:_SHORT_HASH]),
        Fact(_("Image (SHA-256)"), answer.image_sha256[:_SHORT_HASH]),
    ]


def other_answer_words(other: OtherAnswer) -> str:
    """Another model's answer in a line."""
    probability = f", {percent(other.probability)}" if other.probability is not None else ""
    return f"{other.model} {other.model_version}: {other.words}{probability}"


def reading_facts(reading: SignedReading) -> list[Fact]:
    """What a clinician found, and whether that is what the model says."""
    facts = [Fact(_("Finding"), reading.finding.words)]
    if reading.agreement:
        facts.append(Fact(_("With the model's answer"), reading.agreement.words))
    return facts


def signature_words(reading: SignedReading) -> str:
    """Who signed, in which part, and when."""
    signed = {"who": reading.reader, "part": reading.part.words, "when": time_words(reading.signed_at)}
    words = _("Signed by %(who)s (%(part)s), %(when)s") % signed
    return f"{words} · {_('in place of an earlier reading')}" if reading.revised else words


def interval_words(interval: Interval) -> str:
    """A measured share with its interval."""
    measured = {"value": percent(interval.value), "low": percent(interval.low), "high": percent(interval.high)}
    return f"{interval.words}: " + _("%(value)s (95 %% interval %(low)s to %(high)s)") % measured


def time_words(at: datetime) -> str:
    """An instant in the site's time, its month spelt out: 3/4 is another day elsewhere."""
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


def day_words(day: date) -> str:
    """A day, its month spelt out."""
    return date_format(day, "DATE_FORMAT")
