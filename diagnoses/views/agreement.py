"""How well clinicians and the model agree."""

from typing import Any

import django_filters
import django_tables2 as tables
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnoses import audit
from diagnoses.models import Reading
from diagnoses.models.audit import AuditAction
from diagnoses.models.job import Label
from diagnoses.models.reading import Finding
from diagnoses.roles import MAY_SIGN
from diagnoses.selectors import agreement as selectors
from diagnoses.selectors.agreement import Agreement, Table
from diagnoses.selectors.hiding import may_know_readings
from diagnoses.templatetags.percent import percent

_PAGE_SIZE = 25
_ANY = gettext_lazy("Any")


class DiscordantFilter(django_filters.FilterSet):  # type: ignore[misc] # it ships no types
    """Which of the cases to list; lives in the page's address."""

    reader_name = django_filters.CharFilter(label=gettext_lazy("Reader"), lookup_expr="icontains")
    finding = django_filters.ChoiceFilter(
        choices=Finding.choices[:3], empty_label=_ANY, label=gettext_lazy("Reader says")
    )
    answer = django_filters.ChoiceFilter(
        field_name="job__label", choices=Label.choices, empty_label=_ANY, label=gettext_lazy("Model says")
    )
    answer_shown = django_filters.ChoiceFilter(
        choices=[("false", gettext_lazy("Before seeing it")), ("true", gettext_lazy("With it in sight"))],
        method="filter_shown",
        empty_label=_ANY,
        label=gettext_lazy("The answer"),
    )
    since = django_filters.DateFilter(field_name="signed_at", lookup_expr="date__gte", label=gettext_lazy("From"))
    until = django_filters.DateFilter(field_name="signed_at", lookup_expr="date__lte", label=gettext_lazy("To"))

    class Meta:
        """All are declared above."""

        model = Reading
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.form.fields.items():
            is_choice = name in ("finding", "answer", "answer_shown")
            field.widget.attrs["class"] = "form-select" if is_choice else "form-control"
            if name in ("since", "until"):
                field.widget.input_type = "date"
                field.widget.format = "%Y-%m-%d"

    def filter_shown(self, readings: Any, name: str, value: str) -> Any:
        """By whether the reader had seen the answer."""
        return readings.filter(answer_shown=value == "true")


def _column(label: Any, **options: Any) -> tables.Column:
    return tables.Column(verbose_name=label, attrs={"td": {"data-label": label}}, **options)


class DiscordantTable(tables.Table):  # type: ignore[misc] # it ships no types
    """The cases in which a reader contradicts the model, each with the way to it."""

    signed_at = _column(
        gettext_lazy("Signed"),
        linkify=lambda record: f"{reverse('study', args=[record.image.study_id])}#image-{record.image.position}",
    )
    patient = _column(gettext_lazy("Patient"), accessor="image__study__patient_id")
    reader_name = _column(gettext_lazy("Reader"))
    finding = _column(gettext_lazy("Reader says"))
    answer = _column(gettext_lazy("Model says"), accessor="job__result__get_label_display", order_by="job__label")
    probability = _column(gettext_lazy("Probability of pneumonia"), accessor="job__result__probability")
    answer_shown = _column(gettext_lazy("The answer"))

    class Meta:
        """Its look."""

        attrs = {"class": "table table-vcenter card-table stacked"}
        order_by = "-signed_at"

    def render_signed_at(self, value: Any) -> str:
        """In the user's own format."""
        return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")

    def render_probability(self, value: float) -> str:
        """As everywhere."""
        return percent(value)

    def render_answer_shown(self, value: bool) -> str:
        """In words."""
        return _("With it in sight") if value else _("Before seeing it")


@require_safe
@never_cache
def agreement(request: HttpRequest) -> HttpResponse:
    """The figures of the whole site, or of one's own readings, and the cases in which the two contradict."""
    user = request.user
    if not isinstance(user, User) or not (selectors.sees_all(user) or user.has_perm(MAY_SIGN)):
        raise PermissionDenied
    blind, sighted = selectors.blind_agreement(user), selectors.sighted_agreement(user)
    chosen = DiscordantFilter(request.GET, queryset=selectors.discordant_readings(user))
    if not selectors.sees_all(user):
        del chosen.form.fields["reader_name"]
    table = DiscordantTable(chosen.qs)
    tables.RequestConfig(request, paginate=False).configure(table)
    table.paginate(per_page=_PAGE_SIZE)
    table.page = table.paginator.get_page(request.GET.get(table.prefixed_page_field))
    audit.record(AuditAction.FIGURES_VIEWED, audit.actor_of(request), page="agreement", found=len(table.paginated_rows))
    context = {
        "sees_all": selectors.sees_all(user),
        "leaves_out": selectors.sees_all(user) and bool(may_know_readings(user)),
        "kinds": [
            _shown("blind", _("Signed before seeing the answer"), blind),
            _shown("sighted", _("Signed with the answer in sight"), sighted),
        ],
        "readers": _shown_table(selectors.reader_agreement(user)),
        "chart": _chart(blind, sighted),
        "months": _months(blind, sighted),
        "filter": chosen,
        "table": table,
    }
    return render(request, "diagnoses/agreement.html", context)


def _shown(key: str, title: str, figures: Agreement) -> dict[str, Any]:
    names = _categories()
    return {
        "key": key,
        "title": title,
        "kappa": figures.kappa,
        "rows": _shown_table(figures.table)["rows"],
        "by_reader": figures.by_reader,
        "by_answer": [(names[followed.category], followed) for followed in figures.by_answer],
    }


def _shown_table(table: Table) -> dict[str, Any]:
    return {"kappa": table.kappa, "rows": list(zip(_categories(), table.rows, strict=True)), "names": _categories()}


def _categories() -> list[str]:
    return [str(Label.PNEUMONIA.label), _("No pneumonia"), _("Cannot tell")]


def _months(blind: Agreement, sighted: Agreement) -> list[dict[str, Any]]:
    by_month = dict(blind.by_month), dict(sighted.by_month)
    months = sorted({*by_month[0], *by_month[1]})
    return [{"month": month, "kinds": [of.get(month) for of in by_month]} for month in months]


def _chart(blind: Agreement, sighted: Agreement) -> dict[str, Any]:
    """The same for a drawing: shares in per cent, with gaps where a month has no case."""
    months = _months(blind, sighted)
    names = [_("Before seeing the answer"), _("With the answer in sight")]
    raw = [[kinds and kinds.raw for kinds in (row["kinds"][k] for row in months)] for k in range(2)]
    series = [
        {"label": name, "values": [None if share is None else round(100 * share, 1) for share in shares]}
        for name, shares in zip(names, raw, strict=True)
    ]
    labels = [formats.date_format(row["month"], "YEAR_MONTH_FORMAT") for row in months]
    return {"kind": "line", "labels": labels, "series": series, "unit": "%", "max": 100}
