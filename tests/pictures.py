"""Pictures for tests, all synthetic: a chest-like phantom, and files of every kind around an array."""

from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid


def phantom(width: int = 320, height: int = 280, seed: int = 0) -> NDArray[np.uint8]:
    """A drawn chest: dark lungs, spine, heart and ribs, blurred, with some noise; grey levels 0 to 255."""
    picture = np.full((height, width), 150, np.uint8)
    middle, unit = height // 2, min(width, height) / 100
    cv2.rectangle(picture, (round(width * 0.46), 0), (round(width * 0.54), height), (200,), -1)
    for centre in (0.3, 0.7):
        axes = (round(width * 0.15), round(height * 0.36))
        cv2.ellipse(picture, (round(width * centre), middle), axes, 0, 0, 360, (55,), -1)
        for rib in range(7):
            place = (round(width * centre), round(height * (0.2 + 0.1 * rib)))
            cv2.ellipse(picture, place, (axes[0], round(5 * unit)), 0, 180, 360, (100,), max(1, round(2 * unit)))
    heart = (round(width * 0.56), round(height * 0.62))
    cv2.ellipse(picture, heart, (round(width * 0.13), round(height * 0.17)), 35, 0, 360, (170,), -1)
    soft = cv2.GaussianBlur(picture, (0, 0), 1.2 * unit)
    noise = np.random.default_rng(seed).normal(0, 5, picture.shape)
    return np.asarray(np.clip(soft + noise, 0, 255), np.uint8)


def png(pixels: NDArray[Any]) -> bytes:
    """A PNG of 8 or 16 bits, as the array is."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def jpeg(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def dicom(pixels: NDArray[Any], **elements: Any) -> bytes:
    """An uncompressed DX file; `elements` override or add, None removes."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    bits = pixels.dtype.itemsize * 8
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "DX",
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
        **elements,
    }
    for name, value in values.items():
        if value is not None:
            setattr(dataset, name, value)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
