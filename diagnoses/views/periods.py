"""The period that figures are asked for."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from diagnoses.selectors.periods import Period

PRESETS = (7, 30, 90, 365)
"""Days up to today."""
_USUAL = 30
_MOST_DAYS = 2 * 366


def last_days(days: int) -> Period:
    """So many days, of which the last is today."""
    today = timezone.localdate()
    return Period(today - timedelta(days=days - 1), today)


class PeriodForm(forms.Form):
    """From when to when; lives in the page's address. Without anything the last thirty days."""

    since = forms.DateField(
        required=False, label=_("From"), widget=forms.DateInput({"type": "date", "class": "form-control"}, "%Y-%m-%d")
    )
    until = forms.DateField(
        required=False, label=_("To"), widget=forms.DateInput({"type": "date", "class": "form-control"}, "%Y-%m-%d")
    )

    def clean(self) -> dict[str, Any]:
        """The two belong together. An end that is missing is today, a beginning thirty days before the end."""
        said = super().clean() or self.cleaned_data
        if self.errors:
            return said
        until = said["until"] or timezone.localdate()
        since = said["since"] or until - timedelta(days=min(_USUAL, until.toordinal()) - 1)
        if since > until:
            raise forms.ValidationError(_("The first day is after the last. Set one of the two anew."))
        if (until - since).days >= _MOST_DAYS:
            raise forms.ValidationError(_("That is more than two years. Choose a shorter time."))
        if until.year >= 9999 or since.year < 1900:
            raise forms.ValidationError(_("There were no cases in those years. Choose other days."))
        return said | {"since": since, "until": until}

    def period(self) -> Period:
        """The days that were asked for."""
        return Period(self.cleaned_data["since"], self.cleaned_data["until"])
