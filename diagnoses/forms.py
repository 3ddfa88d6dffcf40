"""What people fill in."""

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from diagnoses.imaging.errors import GATE_FAULTS, ImageFault
from diagnoses.models import ModelVersion, Profile, Study
from diagnoses.models.job import Label, ReadingWarning
from diagnoses.models.people import Language, Theme
from diagnoses.models.reading import Agreement, Finding
from diagnoses.models.study import Sex
from diagnoses.models.token import Scope
from diagnoses.selectors.cards import find_model_version
from diagnoses.selectors.hiding import ALWAYS
from diagnoses.selectors.ranges import NO_READING, HistoryFilter
from diagnoses.selectors.registry import available_model_versions
from diagnoses.selectors.tokens import live_tokens_of
from diagnoses.services.submission import StudyDetails, check_birth_date
from diagnoses.services.tokens import MOST_DAYS, USUAL_DAYS
from diagnoses.states import JobStatus
from diagnoses.tables import COLUMN_CHOICES


class _ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class _ManyFilesField(forms.FileField):
    """Any number of files, empty ones too: what is wrong with one is said file by file, later."""

    widget = _ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[bytes]]":
        return list(data or [])


class _DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


_NO_SUCH_READER = {
    "required": _("Choose the model that shall read it."),
    "invalid_choice": _("This model does not read here (any more). Reload the page and choose another."),
}


_LEAST_WORDS = 3
_TOO_LITTLE_SAID = _("Say why in a few words: who reads the record shall understand it.")


def _look_of(widget: forms.Widget) -> str:
    if isinstance(widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
        return "form-check-input"
    return "form-select" if isinstance(widget, forms.Select) else "form-control"


class _Dressed:
    """Gives each widget the class that the style sheet knows it by."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = _look_of(field.widget)


def reader_choices() -> list[tuple[str, str]]:
    """The models that can read here, the default first."""
    return [
        (version_key(version), gettext("{model} (default)").format(model=version) if version.is_live else str(version))
        for version in available_model_versions()
    ]


def version_key(version: ModelVersion) -> str:
    """How forms and the API name a version."""
    return f"{version.name}@{version.version}"


class ReaderForm(_Dressed, forms.Form):
    """The model that is to read an image again."""

    model = forms.ChoiceField(choices=reader_choices, error_messages=_NO_SUCH_READER)

    def version(self) -> ModelVersion:
        """The model that was chosen."""
        return find_model_version(self.cleaned_data["model"])


class OverrideForm(_Dressed, forms.Form):
    """Why an image is to be read that the gate refused."""

    reason = forms.CharField(
        max_length=500, error_messages={"required": _("Say why this image should be read all the same.")}
    )


class EmergencyForm(forms.Form):
    """Whom to see in an emergency, and why."""

    patient_id = forms.CharField(
        max_length=64, error_messages={"required": _("Give the patient's ID, exactly as it was written.")}
    )
    reason = forms.CharField(max_length=500, error_messages={"required": _TOO_LITTLE_SAID})

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if len(reason.split()) < _LEAST_WORDS:
            raise forms.ValidationError(_TOO_LITTLE_SAID)
        return reason


class StudyForm(_Dressed, forms.ModelForm):  # type: ignore[type-arg]
    """One study: its files and what is known of the patient."""

    files = _ManyFilesField(required=False, label=_("Radiographs"))  # type: ignore[assignment]
    model = forms.ChoiceField(
        required=False, choices=reader_choices, label=_("Read with"), error_messages=_NO_SUCH_READER
    )

    class Meta:
        model = Study
        fields = ["patient_id", "patient_sex", "patient_birth_date", "accession_number", "clinical_note", "urgent"]
        widgets = {"patient_birth_date": _DateInput(), "clinical_note": forms.Textarea({"rows": 3})}

    def clean_patient_birth_date(self) -> date | None:
        """One that can be, where it is known."""
        born: date | None = self.cleaned_data["patient_birth_date"]
        if born:
            check_birth_date(born)
        return born

    def details(self) -> StudyDetails:
        """What was said of the study, checked."""
        return StudyDetails(**{name: self.cleaned_data[name] for name in self._meta.fields or ()})

    def version(self) -> ModelVersion | None:
        """The model that was chosen; None leaves the choice to the site."""
        wanted = self.cleaned_data["model"]
        return find_model_version(wanted) if wanted else None

    @property
    def offers_models(self) -> bool:
        """Whether there is a choice to make."""
        return len(list(self.fields["model"].choices)) > 1  # type: ignore[attr-defined]


class UploadForm(StudyForm):
    """One file of a study, as the page's script sends it."""

    files = None  # type: ignore[assignment]
    file = forms.FileField(allow_empty_file=True, max_length=None)
    filename = forms.CharField(required=False, max_length=4096)
    sender = forms.CharField()
    study_key = forms.UUIDField()
    upload_key = forms.UUIDField()
    batch = forms.UUIDField()


_STATES = [
    (JobStatus.QUEUED.value, _("Waiting")),
    (JobStatus.RUNNING.value, _("Being read")),
    (JobStatus.DONE.value, _("Done")),
    (JobStatus.REFUSED.value, _("Refused")),
    (JobStatus.FAILED.value, _("Failed")),
]
_REFUSALS = [
    *((code.value, code.label) for code in ReadingWarning if code.value in GATE_FAULTS),
    (ImageFault.DAMAGED.value, _("Damaged")),
]
_READINGS = [
    (Agreement.AGREE.value, _("Agrees with the answer")),
    (Agreement.DISAGREE.value, _("Disagrees with the answer")),
    (Agreement.CANNOT_TELL.value, _("Cannot tell")),
    (NO_READING, _("Has not read it")),
]


def model_choices() -> list[tuple[str, str]]:
    """The models that have ever been registered, for a filter."""
    names = ModelVersion.objects.order_by("name").values_list("name", flat=True).distinct()
    return [("", gettext("Any model")), *((name, name) for name in names)]


class StudyFilterForm(_Dressed, forms.Form):
    """What to look for among studies and readings; lives in an address."""

    search = forms.CharField(
        required=False,
        max_length=200,
        label=_("Search"),
        widget=forms.TextInput(attrs={"placeholder": _("Whole words of ID, file, accession number or note")}),
    )
    label = forms.ChoiceField(required=False, choices=[("", _("Any answer")), *Label.choices], label=_("Answer"))
    indeterminate = forms.ChoiceField(
        required=False,
        choices=[("", _("Sure or not")), ("false", _("Sure")), ("true", _("Cannot say"))],
        label=_("Certainty"),
    )
    status = forms.ChoiceField(required=False, choices=[("", _("Any state")), *_STATES], label=_("State"))
    patient_id = forms.CharField(required=False, max_length=64, label=_("Patient ID"))
    model = forms.ChoiceField(required=False, choices=model_choices, label=_("Model"))
    since = forms.DateField(required=False, widget=_DateInput(), label=pgettext_lazy("a date", "From"))
    until = forms.DateField(required=False, widget=_DateInput(), label=pgettext_lazy("a date", "To"))

    def wanted(self) -> HistoryFilter:
        """The filter that was asked for."""
        said: dict[str, Any] = dict(self.cleaned_data)
        certainty = said["indeterminate"]
        flags = {"overridden", "urgent", "own"} & said.keys()
        said |= {name: bool(said[name]) for name in flags}
        return HistoryFilter(**said | {"indeterminate": certainty == "true", "sure": certainty == "false"})


class HistoryForm(StudyFilterForm):
    """The same, and what the page of the history can be narrowed to besides."""

    refusal = forms.ChoiceField(required=False, choices=[("", _("Any reason")), *_REFUSALS], label=_("Refused for"))
    overridden = forms.ChoiceField(
        required=False, choices=[("", _("Any")), ("true", _("Refusal overridden"))], label=_("Override")
    )
    urgent = forms.ChoiceField(required=False, choices=[("", _("Any")), ("true", _("Urgent"))], label=_("Urgency"))
    own = forms.ChoiceField(required=False, choices=[("", _("Anybody")), ("true", _("Me"))], label=_("Sent by"))
    reading = forms.ChoiceField(required=False, choices=[("", _("Any")), *_READINGS], label=_("Clinician"))
    sex = forms.ChoiceField(required=False, choices=[("", _("Any sex")), *Sex.choices], label=_("Sex"))

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        since, until = said.get("since"), said.get("until")
        if since and until and since > until:
            self.add_error("until", _("This day lies before the first one. Choose a later one, or leave it empty."))
        return said


class ColumnsForm(forms.Form):
    """Which columns the history shows."""

    columns = forms.MultipleChoiceField(
        choices=COLUMN_CHOICES, error_messages={"required": _("Choose one column at least.")}
    )


class CompareForm(forms.Form):
    """Two studies to lay side by side."""

    a = forms.UUIDField()
    b = forms.UUIDField()

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if "a" in said and said["a"] == said.get("b"):
            raise forms.ValidationError(_("This is one study twice."))
        return said


class SavedViewForm(forms.Form):
    """A filter of a page, and what to call it."""

    page = forms.ChoiceField(choices=[("worklist", _("Worklist")), ("history", _("History"))])
    name = forms.CharField(
        max_length=64,
        error_messages={
            "required": _("Give the view a name."),
            "max_length": _("Give the view a shorter name, of 64 characters at most."),
        },
    )
    query = forms.CharField(
        required=False,
        max_length=2000,
        error_messages={"max_length": _("This filter is too long to be saved. Shorten what you search for.")},
    )


class LanguageForm(forms.Form):
    """The language to speak."""

    language = forms.ChoiceField(choices=Language.choices)


class ThemeForm(forms.Form):
    """How bright to be."""

    theme = forms.ChoiceField(choices=Theme.choices)


class PreferencesForm(_Dressed, forms.ModelForm):  # type: ignore[type-arg]
    """All that a user may choose."""

    class Meta:
        model = Profile
        fields = ["language", "theme", "reads_first", "wants_mail"]
        labels = {
            "language": _("Language"),
            "theme": _("Brightness"),
            "reads_first": _("Read first: keep the answer and its heatmap hidden until I have signed my own"),
            "wants_mail": _("Send me notices by e-mail, too"),
        }
        help_texts = {
            "language": _("Dates and numbers follow it."),
            "theme": "",
            "reads_first": _("Seeing an answer first makes readers follow it, also where it is wrong."),
            "wants_mail": "",
        }

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.CXR_FIRST_READ == ALWAYS:
            del self.fields["reads_first"]
        if not settings.CXR_SENDS_MAIL:
            self._cannot_mail(_("This site sends no e-mail: it has no mail server."))
        elif not user.email:
            self._cannot_mail(_("Your account has no e-mail address. Ask your administrator."))

    def _cannot_mail(self, why: Any) -> None:
        self.fields["wants_mail"].disabled = True
        self.fields["wants_mail"].help_text = why


class SigningForm(forms.Form):
    """A reading of one's own, to be signed."""

    agreement = forms.ChoiceField(required=False, choices=Agreement.choices)
    finding = forms.ChoiceField(required=False, choices=Finding.choices)
    text = forms.CharField(
        required=False,
        max_length=4000,
        error_messages={"max_length": _("The text is longer than %(limit_value)d characters. Shorten it.")},
    )
    replaces = forms.UUIDField(required=False)
    answer = forms.UUIDField(required=False)


class PauseForm(forms.Form):
    """Why the AI is to be paused, or to go on."""

    paused = forms.TypedChoiceField(choices=[("yes", ""), ("no", "")], coerce=lambda choice: choice == "yes")
    reason = forms.CharField(
        max_length=500,
        error_messages={"required": _("Say why; the reason stays on record and is shown on every page.")},
    )


class TokenForm(_Dressed, forms.Form):
    """An API token to make: what it is for, what it opens, and how long."""

    name = forms.CharField(
        max_length=64,
        label=_("What it is for"),
        error_messages={"required": _("Give the token a name, such as that of the program that will use it.")},
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        label=_("What it opens"),
        error_messages={"required": _("Choose at least one thing that the token opens.")},
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        initial=USUAL_DAYS,
        label=_("Days until it expires"),
    )

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        self._user = user

    def clean_name(self) -> str:
        """A name that none of the user's tokens in use has, so that a page loaded again makes no second one."""
        name: str = self.cleaned_data["name"]
        if live_tokens_of(self._user).filter(name=name).exists():
            raise forms.ValidationError(_("A token of yours has this name. Choose another, or revoke that one."))
        return name
