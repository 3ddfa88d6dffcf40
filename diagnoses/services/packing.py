"""Packing an export: study by study into a ZIP file, in steps between which its worker may do something else.

Names in the file are numbers and keys of the site's own, so that none tells of a patient. Pictures are drawn anew, at
full resolution. At any time one picture is in memory, and of each study that was packed its lines of the index.
"""

import json
import logging
import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from django.conf import settings
from django.contrib.auth.models import User
from django.db import Error
from django.utils import translation

from diagnoses import sealing, storage
from diagnoses.export import COLUMNS, cells_of, csv_line
from diagnoses.imaging import heatmap, sandbox
from diagnoses.imaging.errors import ImageError
from diagnoses.imaging.heatmap import Palette
from diagnoses.imaging.lossless import DrawnPicture
from diagnoses.models import Export, Image, Profile
from diagnoses.models.export import ExportFault
from diagnoses.searching import SearchError
from diagnoses.selectors.cases import Case, cases_of
from diagnoses.selectors.exports import filter_of, jobs_of_studies, matching_studies
from diagnoses.selectors.history import HiddenFilterError
from diagnoses.selectors.originals import read_original
from diagnoses.selectors.ranges import HistoryFilter
from diagnoses.selectors.sight import sees_every_study, sight_of
from diagnoses.services import exporting
from diagnoses.services.described import described_image, described_study
from diagnoses.services.exporting import ExportClaim
from diagnoses.storage import sealed
from diagnoses.storage.sealed import SealingWriter

_HEATMAP_EDGE = 1024
"""Pixels of a heatmap on its longer edge at most: enough for seven by seven cells, smoothed."""
_FILE_COLUMNS = ("folder", "picture_file", "heatmap_file")
_log = logging.getLogger(__name__)


class _FaultError(Exception):
    """The export comes to nothing."""

    def __init__(self, fault: ExportFault) -> None:
        super().__init__(fault)
        self.fault = fault


class _LostError(Exception):
    """The export was cancelled, or is another worker's."""


def pack(claim: ExportClaim) -> Generator[None, None, None]:
    """Pack a claimed export, a step each time, to its end, whatever that is.

    Given up between two steps, nothing stays of it; its lease or `give_back_export` then leaves it to another worker.
    Raises the database's errors.
    """
    try:
        yield from _pack(claim)
    except _LostError:
        _log.info("Export %s was cancelled, or is another worker's", claim.export_id)
    except _FaultError as error:
        exporting.fail_export(claim=claim, fault=error.fault)
    except HiddenFilterError:  # its owner has chosen to read first since
        exporting.fail_export(claim=claim, fault=ExportFault.HIDDEN_ANSWERS)
    except OSError:
        _log.exception("Export %s could not be packed", claim.export_id)
        exporting.fail_export(claim=claim, fault=ExportFault.STORAGE)
    except Error:
        raise
    except Exception:  # noqa: BLE001 - whatever is wrong with one export must not keep the others waiting
        _log.exception("Export %s could not be packed", claim.export_id)
        exporting.fail_export(claim=claim, fault=ExportFault.INTERNAL_ERROR)


def _pack(claim: ExportClaim) -> Iterator[None]:
    export = Export.objects.get(pk=claim.export_id)
    owner = _owner(export)
    studies = matching_studies(owner, _filter_of(export), settings.CXR_EXPORT_CASES)
    if not studies:
        raise _FaultError(ExportFault.NOTHING_LEFT)
    everything, there = sees_every_study(owner), sight_of(owner).department_id
    if not exporting.note_begin(claim=claim, studies=studies, site_wide=everything, department_id=there):
        raise _LostError
    name, key = storage.new_export_name(), sealing.new_key()
    with translation.override(_language_of(export)), sealed.writing(name, key) as file:
        with ZipFile(cast(IO[bytes], file), "w") as archive:
            package = _Package(file, archive)
            for packed, study_id in enumerate(studies, 1):
                yield from _pack_study(package, _owner(export), study_id)
                if not exporting.note_progress(claim=claim, packed=packed):
                    raise _LostError
            package.write("index.csv", "".join(package.index).encode(), ZIP_DEFLATED)
        byte_size = file.tell()
    exporting.finish_export(claim=claim, stored_name=name, byte_size=byte_size, key=key)


def _filter_of(export: Export) -> HistoryFilter:
    try:
        return filter_of(export.user_id, export.wanted)
    except SearchError as error:  # of a key that the site has no more
        raise _FaultError(ExportFault.NOTHING_LEFT) from error


def _pack_study(package: "_Package", user: User, study_id: uuid.UUID) -> Iterator[None]:
    """Its pictures, one a step, and then what is known of it. Nothing where the user may not see it any more."""
    cases = cases_of(user, jobs_of_studies(user, [study_id]))
    images = []
    for _, of_image in groupby(cases, key=lambda case: case.job.image_id):
        yield
        images.append(_pack_image(package, list(of_image)))
    if cases:
        said = described_study(cases[0].job.image.study) | {"images": images}
        text = json.dumps(said, ensure_ascii=False, indent=1)
        package.write(f"{_folder(study_id)}/study.json", text.encode(), ZIP_DEFLATED)


def _pack_image(package: "_Package", cases: Sequence[Case]) -> dict[str, Any]:
    image = cases[0].job.image
    folder, stem = _folder(image.study_id), f"image-{image.position + 1}"
    picture = _drawn(image)
    if picture:
        package.write(f"{folder}/{stem}.png", picture.png, ZIP_STORED)
    heatmaps = []
    for number, case in enumerate(cases, 1):
        overlay = _overlay(case, picture)
        heatmaps.append(f"{stem}-heatmap-{number}.png" if overlay else "")
        if overlay:
            package.write(f"{folder}/{heatmaps[-1]}", overlay, ZIP_STORED)
        files = folder, f"{stem}.png" if picture else "", heatmaps[-1]
        package.index.append(csv_line([*cells_of(case), *files]))
    return described_image(cases, f"{stem}.png" if picture else "", heatmaps)


def _drawn(image: Image) -> DrawnPicture | None:
    """None where there is no picture (any more), as the study's page shows none."""
    try:
        return sandbox.draw(read_original(image))
    except (FileNotFoundError, ImageError):
        return None


def _overlay(case: Case, picture: DrawnPicture | None) -> bytes | None:
    """The heatmap in the picture's proportions, see-through where it is cold."""
    if case.result is None or picture is None:
        return None
    scale = min(1, _HEATMAP_EDGE / max(picture.width, picture.height))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    try:
        return heatmap.colour(bytes(case.result.heatmap), Palette.JET, *size)
    except ValueError:
        return None


@dataclass
class _Package:
    """The file that grows, no larger than a site allows."""

    file: SealingWriter
    archive: ZipFile
    index: list[str] = field(default_factory=lambda: ["\ufeff" + csv_line([*COLUMNS, *_FILE_COLUMNS])])

    def write(self, name: str, data: bytes, compression: int) -> None:
        """Add a file. What is compressed already is only stored."""
        self.archive.writestr(name, data, compression)
        self.file.settle()
        if self.file.tell() > settings.CXR_EXPORT_BYTES:
            raise _FaultError(ExportFault.TOO_LARGE)


def _folder(study_id: uuid.UUID) -> str:
    return f"studies/{study_id}"


def _owner(export: Export) -> User:
    """Asked for anew each time: what an account may see may change while its cases are packed."""
    user = User.objects.get(pk=export.user_id)
    if not user.is_active:
        raise _FaultError(ExportFault.SWITCHED_OFF)
    return user


def _language_of(export: Export) -> str:
    chosen = Profile.objects.values_list("language", flat=True).filter(user=export.user_id).first()
    return chosen or settings.LANGUAGE_CODE
