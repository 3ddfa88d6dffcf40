"""Tables whose columns a user chooses."""

from collections.abc import Collection, Sequence
from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from diagnoses.models import Reading
from diagnoses.selectors.cases import Case

USUAL_COLUMNS = ("sent", "patient", "file", "answer", "probability", "model")
COLUMN_CHOICES = [
    ("sent", _("Sent")),
    ("patient", _("Patient")),
    ("sex", _("Sex")),
    ("born", _("Born")),
    ("accession", _("Accession number")),
    ("note", _("Clinical note")),
    ("file", _("File")),
    ("urgency", _("Urgency")),
    ("answer", _("Answer")),
    ("probability", _("Probability")),
    ("finding", _("Clinician's reading")),
    ("model", _("Model")),
]
_NAMES = dict(COLUMN_CHOICES)


class HistoryTable(tables.Table):  # type: ignore[misc] # it ships no types
    """Readings, one a row. Which of its columns are shown the user chooses; their order is the table's."""

    sent = tables.Column(_NAMES["sent"], accessor="job__created_at")
    patient = tables.Column(_NAMES["patient"], accessor="job__image__study__patient_id")
    sex = tables.Column(_NAMES["sex"], accessor="job__image__study__get_patient_sex_display")
    born = tables.DateColumn(
        verbose_name=_NAMES["born"], accessor="job__image__study__patient_birth_date", format="SHORT_DATE_FORMAT"
    )
    accession = tables.Column(_NAMES["accession"], accessor="job__image__study__accession_number")
    note = tables.Column(_NAMES["note"], accessor="job__image__study__clinical_note")
    file = tables.Column(_NAMES["file"], accessor="job__image__filename")
    urgency = tables.Column(_NAMES["urgency"], accessor="job__urgent")
    answer = tables.Column(_NAMES["answer"], accessor="job", empty_values=())
    probability = tables.Column(_NAMES["probability"], accessor="result")
    finding = tables.Column(_NAMES["finding"], accessor="reading")
    model = tables.Column(_NAMES["model"], accessor="job__model_version")

    class Meta:
        """Not sorted by a click: a page is one of many."""

        orderable = False
        default = "\N{EN DASH}"

    def __init__(self, cases: Sequence[Case], columns: Collection[str]) -> None:
        known = [name for name in _NAMES if name in columns] or list(USUAL_COLUMNS)
        super().__init__(cases, exclude=[name for name in _NAMES if name not in known], sequence=known)
        self.chosen = known

    def render_sent(self, record: Case) -> str:
        """The time leads to the study."""
        words = date_format(localtime(record.job.created_at), "SHORT_DATETIME_FORMAT")
        return format_html('<a href="{}">{}</a>', reverse("study", args=[record.job.image.study_id]), words)

    def render_urgency(self, value: bool) -> Any:
        """Nothing of what is not urgent."""
        return _("Urgent") if value else self.default

    def render_answer(self, record: Case) -> str:
        """As a badge, with what is to be known beside it."""
        return render_to_string("diagnoses/_case_answer.html", {"case": record, "job": record.job})

    def render_probability(self, record: Case) -> str:
        """As the pages write a share."""
        return render_to_string("diagnoses/_case_probability.html", {"result": record.result}).strip()

    def render_finding(self, value: Reading) -> str:
        """The finding, and how it stands to the answer."""
        agreement = f" ({value.get_agreement_display()})" if value.agreement else ""
        return f"{value.get_finding_display()}{agreement}"
