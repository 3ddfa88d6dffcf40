"""Reports for tests, and readings to put into them."""

from typing import Any

from django.contrib.auth.models import User
from django.utils import translation

from diagnoses.models import Image, Reading, Study
from diagnoses.reports.contents import ImageReport, Report
from diagnoses.reports.making import report_of
from diagnoses.reports.pdf import pdf_of
from diagnoses.reports.pictures import printed_picture
from tests.pdf import Pdf

NAME = "BS. Nguyễn Thị Hồng Ánh"


def sign(image: Image, reader: User, finding: str = "PNEUMONIA", **fields: Any) -> Reading:
    """A reading of an image, by somebody with a long name."""
    said = {"reader_name": NAME, "agreement": "agree", "answer_shown": True}
    return Reading.objects.create(image=image, reader=reader, finding=finding, **said | fields)


def report_to(user: User, study: Study) -> Report:
    """The report that the user gets."""
    return report_of(user, study.pk)


def image_report(user: User, study: Study) -> ImageReport:
    """What the report says of the study's only file."""
    [image] = report_to(user, study).images
    return image


def printed(user: User, study: Study, language: str = "en") -> Pdf:
    """The report as it is printed."""
    with translation.override(language):
        return Pdf(pdf_of(report_of(user, study.pk), printed_picture))
