"""Drawn files of every kind, for a process that has to use each decoder before it loses the right to load more."""

from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, FileMetaDataset, Sequence
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    generate_uid,
)

from diagnoses.imaging.phantom import draw_phantom

_WIDTH, _HEIGHT = 128, 112


def samples() -> list[bytes]:
    """PNG, JPEG, and DICOM plain, with tables, and compressed."""
    chest = draw_phantom(_WIDTH, _HEIGHT)
    deep = chest.astype(np.uint16) * 16
    jpeg = BytesIO()
    Image.fromarray(chest).save(jpeg, "JPEG", exif=Image.Exif())
    pictures = [cv2.imencode(".png", pixels)[1].tobytes() for pixels in (chest, deep, np.dstack([chest] * 3))]
    plain, tables = _dataset(deep), _dataset(deep)
    plain.WindowCenter, plain.WindowWidth = [2048, 1000], [4096, 500]
    plain.RescaleSlope, plain.RescaleIntercept = 1, 0
    plain.PatientName, plain.PatientBirthDate, plain.StudyDate = "Nobody^Sample", "19700101", "20200101"
    tables.VOILUTSequence = tables.ModalityLUTSequence = Sequence([_table()])
    return [
        *pictures,
        jpeg.getvalue(),
        *(_saved(dataset) for dataset in (plain, tables)),
        *(_compressed(_dataset(deep), syntax) for syntax in (RLELossless, JPEG2000Lossless)),
    ]


def _dataset(pixels: NDArray[np.uint16]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PhotometricInterpretation = "DX", "MONOCHROME2"
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = pixels.tobytes()
    return dataset


def _table() -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 16])
    item.add_new("LUTData", "US", list(range(4096)))
    return item


def _compressed(dataset: Dataset, syntax: UID) -> bytes:
    dataset.compress(syntax, generate_instance_uid=False)
    return _saved(dataset)


def _saved(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
