"""The pictures of a report: drawn from what was sent, and laid out beside each other."""

from functools import cache
from io import BytesIO

from django.utils.translation import gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Image, Table

from diagnoses.imaging import heatmap, sandbox
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.heatmap import Palette
from diagnoses.imaging.printed import Printed
from diagnoses.models import Image as StoredImage
from diagnoses.models import Result
from diagnoses.reports.contents import ImageReport
from diagnoses.reports.lettering import text
from diagnoses.selectors.originals import read_original

_GAP = 4 * mm
_TALLEST = 80 * mm
_NO_PADDING = [("LEFTPADDING", (0, 0), (-1, -1), 0), ("VALIGN", (0, 0), (-1, -1), "TOP")]


def printed_picture(image: ImageReport) -> Printed | None:
    """The radiograph of an image, with its heatmap where the report shows its answer; None where it cannot be drawn.

    The image is one of a report that its user may see.
    """
    if image.image_id is None:
        return None
    stored = StoredImage.objects.select_related("study__subject").get(pk=image.image_id)
    heat = Result.objects.values_list("heatmap", flat=True).get(pk=image.answer.job_id) if image.answer else b""
    try:
        return sandbox.printed(read_original(stored), bytes(heat))
    except (OSError, ImageError, ValueError):
        return None


def picture_row(picture: Printed, width: float) -> Table:
    """The radiograph, and beside it the same with its heatmap, in `width` points."""
    each = (width - _GAP) / 2
    cells = [[_drawn(picture.plain, picture, each), text(_("Radiograph"), "label")]]
    if picture.heated:
        words = _("With the heatmap: where the model looked, not a lesion")
        cells.append([_drawn(picture.heated, picture, each), text(words, "label")])
    return Table([cells], colWidths=[each + _GAP] * (len(cells) - 1) + [each], style=_NO_PADDING, hAlign="LEFT")


def colour_bar(width: float) -> Table:
    """The heatmap's scale between its words, under the heated picture."""
    half = (width - _GAP) / 2
    bar = Image(BytesIO(_bar_png()), half / 2, 2.5 * mm)
    words = [text(_("little"), "label"), bar, text(_("most attention"), "label")]
    widths = [half + _GAP, 14 * mm, half / 2 + 2 * mm, half / 2 - 16 * mm]
    indent = Table([["", *words]], colWidths=widths, style=_NO_PADDING, hAlign="LEFT")
    indent.setStyle([("VALIGN", (0, 0), (-1, -1), "MIDDLE"), ("TOPPADDING", (0, 0), (-1, -1), 0)])
    return indent


def _drawn(jpeg: bytes, picture: Printed, width: float) -> Image:
    scale = min(width / picture.width, _TALLEST / picture.height)
    return Image(BytesIO(jpeg), picture.width * scale, picture.height * scale, hAlign="LEFT")


@cache
def _bar_png() -> bytes:
    return heatmap.colour_bar(Palette.INFERNO)
