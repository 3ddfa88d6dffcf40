"""What the worklist can be narrowed to; it lives in the page's address."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, ChoiceFilter, FilterSet

from diagnoses import sealing
from diagnoses.forms import model_choices
from diagnoses.models import Job
from diagnoses.selectors.worklist import Need, Rows, in_need
from diagnoses.states import JobStatus

_USUAL = {"read": "unread", "period": "30"}
"""What is shown where the address says nothing."""
_SELECT = forms.Select(attrs={"class": "form-select"})

READ_CHOICES = [("unread", _("Not read yet")), ("read", _("Read")), ("all", _("Read or not"))]
PERIOD_CHOICES = [
    ("1", _("Last 24 hours")),
    ("7", _("Last 7 days")),
    ("30", _("Last 30 days")),
    ("90", _("Last 90 days")),
    ("365", _("Last 365 days")),
]
STATE_CHOICES = [
    (JobStatus.QUEUED.value, _("Waiting")),
    (JobStatus.RUNNING.value, _("Being read")),
    (JobStatus.DONE.value, _("Answered")),
    (JobStatus.REFUSED.value, _("Refused")),
    (JobStatus.FAILED.value, _("Failed")),
]
VERDICT_CHOICES = [
    (str(Need.PNEUMONIA.value), _("Pneumonia")),
    (str(Need.CANNOT_SAY.value), _("Cannot say")),
    (str(Need.NORMAL.value), _("Normal")),
]


class WorklistFilter(FilterSet):  # type: ignore[misc] # it ships no types
    """The rows that a user may see of the worklist, narrowed. A study stays where one of its images matches."""

    search = CharFilter(
        method="with_words",
        label=_("Search"),
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "class": "form-control",
                "type": "search",
                "placeholder": _("Whole words of ID, file, accession number or note"),
            }
        ),
    )
    read = ChoiceFilter(
        method="by_reading", choices=READ_CHOICES, label=_("Read by a person"), empty_label=None, widget=_SELECT
    )
    verdict = ChoiceFilter(
        method="with_verdict", choices=VERDICT_CHOICES, label=_("Answer"), empty_label=_("Any answer"), widget=_SELECT
    )
    state = ChoiceFilter(
        method="in_state", choices=STATE_CHOICES, label=_("State"), empty_label=_("Any state"), widget=_SELECT
    )
    urgent = ChoiceFilter(
        method="by_urgency",
        choices=[("1", _("Urgent")), ("0", _("Not urgent"))],
        label=_("Urgency"),
        empty_label=_("Urgent or not"),
        widget=_SELECT,
    )
    model = ChoiceFilter(
        method="by_model",
        choices=lambda: model_choices()[1:],
        label=_("Model"),
        empty_label=_("Any model"),
        widget=_SELECT,
    )
    period = ChoiceFilter(choices=PERIOD_CHOICES, label=_("Sent"), empty_label=None, widget=_SELECT)

    def __init__(self, query: QueryDict, *, user: AbstractBaseUser | AnonymousUser) -> None:
        data = query.copy()
        for name, usual in _USUAL.items():
            data[name] = data.get(name) or usual
        super().__init__(data, queryset=Job.objects.none())
        self._user = user

    @property
    def narrows(self) -> bool:
        """Whether anything but the usual is asked for."""
        return any(self.data.get(name, "") != _USUAL.get(name, "") for name in self.filters)

    def filter_queryset(self, queryset: Any) -> Any:
        """All rows of the period that each filter leaves."""
        wanted = dict(self.form.cleaned_data)
        rows = in_need(self._user, timezone.now() - timedelta(days=int(wanted.pop("period"))))
        for name, value in wanted.items():
            rows = self.filters[name].filter(rows, value)
        return rows

    def with_words(self, rows: Rows, name: str, value: str) -> Rows:
        """With all of these words in its patient's identity, accession number, note, or a file's name."""
        return _with_any(rows, name, Q(words__contains=sealing.looked_for(value)))

    def by_reading(self, rows: Rows, name: str, value: str) -> Rows:
        """By whether all of its images have a person's reading."""
        return rows if value == "all" else rows.filter(is_read=value == "read")

    def with_verdict(self, rows: Rows, name: str, value: str) -> Rows:
        """With an image of which this was said, as far as the user may know."""
        return _with_any(rows, name, Q(need=int(value)))

    def in_state(self, rows: Rows, name: str, value: str) -> Rows:
        """With an image whose reading stands there."""
        return _with_any(rows, name, Q(status=value))

    def by_urgency(self, rows: Rows, name: str, value: str) -> Rows:
        """Urgent ones, or the others."""
        return rows.filter(image__study__urgent=value == "1")

    def by_model(self, rows: Rows, name: str, value: str) -> Rows:
        """With an image that this model read last."""
        return _with_any(rows, name, Q(model_version__name=value))


def _with_any(rows: Rows, name: str, condition: Q) -> Rows:
    """Those where one reading is so. Of the row, all its readings go on to count."""
    matching = rows.alias(**{f"matching_{name}": Count("pk", filter=condition)})
    return cast(Rows, matching.filter(**{f"matching_{name}__gt": 0}))
