"""Pictures and heatmaps: shown to those who may see them, each time on record, and drawn anew."""

import gzip
import uuid

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe

from diagnoses import audit
from diagnoses.imaging import heatmap, sandbox
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.heatmap import Palette
from diagnoses.models import Image, Job
from diagnoses.models.audit import AuditAction
from diagnoses.selectors.hiding import is_hidden
from diagnoses.selectors.originals import read_original
from diagnoses.selectors.studies import images_visible_to, jobs_visible_to
from diagnoses.selectors.viewers import Viewer

HEATMAP_EDGE = 448
"""Pixels of a coloured heatmap on its longer edge: enough for seven by seven cells, smoothed."""
_SAMPLE_BYTES = 1 << 20
_WORTH_PACKING = 0.9
"""Share of its size that a sample must shrink to; the noise of a real radiograph often does not."""


@require_safe
@never_cache
def picture(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """The radiograph as a grey JPEG."""
    image = get_object_or_404(images_visible_to(request.user), pk=image_id)
    audit.record(AuditAction.PICTURE_VIEWED, audit.actor_of(request), image)
    return picture_response(image)


@require_safe
@never_cache
def pixels(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """The radiograph at its full depth and size, for the viewer: a line of JSON, then the values (see `depth`)."""
    image = get_object_or_404(images_visible_to(request.user), pk=image_id)
    audit.record(AuditAction.PICTURE_VIEWED, audit.actor_of(request), image)
    try:
        data = sandbox.packed_picture(read_original(image))
    except (OSError, ImageError) as error:
        raise Http404("This picture cannot be shown.") from error
    return _named(_packed_if_worth_it(request, data), f"pixels-{image_id}.bin")


@require_safe
@never_cache
def heatmap_cells(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """The heatmap as it was made, one grey pixel for each cell, for the viewer to colour."""
    job = visible_job_with_result(request.user, job_id)
    audit.record(AuditAction.HEATMAP_VIEWED, audit.actor_of(request), job)
    try:
        data = heatmap.grey(bytes(job.result.heatmap))
    except ValueError as error:
        raise Http404("This heatmap cannot be shown.") from error
    return _named(HttpResponse(data, content_type="image/png"), f"heatmap-cells-{job_id}.png")


@require_safe
@never_cache
def heatmap_overlay(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """The heatmap in colour, see-through where it is cold; `?palette=` is inferno, jet or viridis."""
    job = visible_job_with_result(request.user, job_id)
    palette = palette_of(request.GET.get("palette", Palette.JET))
    audit.record(AuditAction.HEATMAP_VIEWED, audit.actor_of(request), job)
    return heatmap_response(job, palette)


@require_safe
@login_not_required
@cache_control(public=True, max_age=86400)
def colour_bar(request: HttpRequest, palette: str) -> HttpResponse:
    """The scale of a palette, cold on the left. The same for everybody."""
    return HttpResponse(heatmap.colour_bar(palette_of(palette)), content_type="image/png")


def visible_job_with_result(user: Viewer, job_id: uuid.UUID) -> Job:
    """The job whose heatmap is asked for. Raises Http404 where there is none to be seen."""
    job = get_object_or_404(jobs_visible_to(user).filter(result__isnull=False), pk=job_id)
    if is_hidden(user, job.image_id):
        raise Http404("This heatmap is hidden until you have signed your own reading of the image.")
    return job


def picture_response(image: Image) -> HttpResponse:
    """The image, decoded and encoded anew."""
    try:
        data = sandbox.display_jpeg(read_original(image))
    except (OSError, ImageError) as error:
        raise Http404("This picture cannot be shown.") from error
    return _named(HttpResponse(data, content_type="image/jpeg"), f"picture-{image.pk}.jpg")


def heatmap_response(job: Job, palette: Palette) -> HttpResponse:
    """The heatmap of a job, in the picture's proportions."""
    width, height = job.image.width, job.image.height
    scale = HEATMAP_EDGE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    try:
        data = heatmap.colour(bytes(job.result.heatmap), palette, *size)
    except ValueError as error:
        raise Http404("This heatmap cannot be shown.") from error
    return _named(HttpResponse(data, content_type="image/png"), f"heatmap-{job.pk}.png")


def palette_of(name: str) -> Palette:
    """The palette of that name. Raises Http404 where there is none."""
    try:
        return Palette(name)
    except ValueError as error:
        raise Http404(f"There is no palette {name!r}; choose one of {', '.join(Palette)}.") from error


def _packed_if_worth_it(request: HttpRequest, data: bytes) -> HttpResponse:
    """A sample from the middle says whether packing pays; the fastest level does nearly as well as the best here."""
    middle = max(0, (len(data) - _SAMPLE_BYTES) // 2)
    sample = data[middle : middle + _SAMPLE_BYTES]
    takes_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    is_worth_it = takes_gzip and len(gzip.compress(sample, 1)) < _WORTH_PACKING * len(sample)
    response = HttpResponse(gzip.compress(data, 1) if is_worth_it else data, content_type="application/octet-stream")
    if is_worth_it:
        response["Content-Encoding"] = "gzip"
    response["X-Content-Bytes"] = str(len(data))
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


def _named(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response
