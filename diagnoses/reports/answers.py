"""A model's answer as a report says it, with what was measured of such answers and nothing that was not."""

from django.conf import settings
from django.utils.translation import gettext as _

from diagnoses.models import Job, ModelVersion, Result
from diagnoses.models.job import WARNING_WORDS, Indeterminacy, Label, ReadingWarning
from diagnoses.reports.contents import Answer, Coded, Interval, ModelReport, OtherAnswer, Override
from diagnoses.selectors.cards import HOLDOUT, Figure, figures_of, predictive_at
from diagnoses.states import JobStatus


def answer_of(job: Job) -> Answer:
    """The answer of a reading that is done."""
    result, version = job.result, job.model_version
    certainty = _certainty(result, version)
    return Answer(
        job_id=job.pk,
        words=_answer_words(result),
        label=result.label,
        label_words=label_words(result.get_label_display()),
        probability=result.probability,
        certainty=certainty,
        certainty_words=_certainty_words(result, certainty),
        prevalence=settings.CXR_PREVALENCE,
        share_right=_share_right(result, version),
        threshold=result.threshold,
        band_low=result.band_low,
        band_high=result.band_high,
        indeterminate=_indeterminate(result),
        warnings=[coded(code, WARNING_WORDS.get(code, code)) for code in result.warnings],
        override=_override(result),
        model=version.name,
        model_version=version.version,
        engine=result.engine,
        read_at=result.created_at,
        weights_sha256=result.weights_sha256,
        image_sha256=result.image_sha256,
    )


def other_answer_of(job: Job) -> OtherAnswer:
    """What another model said before, or where that stands."""
    result = job.result if job.status == JobStatus.DONE else None
    return OtherAnswer(
        model=job.model_version.name,
        model_version=job.model_version.version,
        words=_answer_words(result) if result else _("No answer"),
        probability=result.probability if result else None,
    )


def limits_of(version: ModelVersion) -> ModelReport:
    """What the card says of the model, as far as it says it."""
    figures = figures_of(version, HOLDOUT)
    titles = {
        "sensitivity": _("Of the images with pneumonia, called Pneumonia (sensitivity)"),
        "specificity": _("Of the images without it, called Normal (specificity)"),
        "ece": _("Distance of its probabilities from what came true, on average"),
    }
    return ModelReport(
        name=version.name,
        version=version.version,
        intended_use=label_words(version.card.get("intended_use", "")),
        limits=[label_words(limit) for limit in version.card.get("limits", [])],
        figures=[_interval(figures[name], title) for name, title in titles.items() if name in figures],
    )


def coded(code: str, words: object) -> Coded:
    """A code with its words."""
    return Coded(code, label_words(words))


def label_words(words: object) -> str:
    """What the product itself has written, in the active language. Nothing stays nothing."""
    text = str(words)
    return _(text) if text else ""


def _answer_words(result: Result) -> str:
    return _("Cannot say") if result.indeterminate else label_words(result.get_label_display())


def _certainty(result: Result, version: ModelVersion) -> Interval | None:
    """How often answers like this one were right on unseen patients.

    None where a warning says that the model's figures do not hold, or nobody counted.
    """
    figures = figures_of(version, HOLDOUT)
    if result.warnings:
        return None
    if not result.indeterminate and "accuracy_where_certain" in figures:
        title = _("Of the answers that it gave without doubt to patients new to it, right")
        return _interval(figures["accuracy_where_certain"], title)
    if result.indeterminate_reason == Indeterminacy.BAND and "accuracy_inside_band" in figures:
        title = _("Where it could not say for patients new to it, the threshold alone was right")
        return _interval(figures["accuracy_inside_band"], title)
    return None


def _certainty_words(result: Result, certainty: Interval | None) -> str:
    if certainty:
        return _(
            "The interval (95 %) is that of the share, which the model's card has. For the probability of a single "
            "image no interval was measured."
        )
    if result.warnings:
        return _("No interval is given: with the warning below, the model's figures do not hold for this image.")
    return _("No interval is given: the model's card has none for an answer like this.")


def _share_right(result: Result, version: ModelVersion) -> float | None:
    """By Bayes' theorem, for a sure answer without a warning, where the site says how common pneumonia is."""
    if result.indeterminate or result.warnings:
        return None
    values = predictive_at(version, settings.CXR_PREVALENCE)
    if values is None:
        return None
    return values.ppv if result.label == Label.PNEUMONIA else values.npv


def _indeterminate(result: Result) -> Coded | None:
    if not result.indeterminate:
        return None
    return coded(result.indeterminate_reason, result.indeterminate_words)


def _override(result: Result) -> Override | None:
    code = result.override_code
    if not code:
        return None
    name = ReadingWarning(code).label if code in ReadingWarning else code
    return Override(refusal=coded(code, name), reason=result.override_reason, by=result.override_by)


def _interval(figure: Figure, words: str) -> Interval:
    return Interval(words, figure.value, figure.low, figure.high)
