"""Pictures of things that are no chest, drawn from nothing: pages, charts, shapes, noise, other parts of the body.

They keep a gate honest where no collected pictures are at hand. Each is (224, 224), grey levels 0 to 255, and depends
on its generator alone.
"""

import math
import string
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workers.inference.preprocess import GreyImage

_SIZE = 224
_CENTRE = (_SIZE // 2, _SIZE // 2)
_LETTERS = np.array(list(string.ascii_letters + string.digits))


def constant(rng: np.random.Generator) -> GreyImage:
    """One grey level all over, or a few levels of noise around it."""
    return _grey(np.full((_SIZE, _SIZE), rng.uniform(0, 255)) + rng.normal(0, rng.uniform(0, 3), (_SIZE, _SIZE)))


def gradient(rng: np.random.Generator) -> GreyImage:
    """From dark to bright in one direction, or outwards from a point."""
    across, down = _grid()
    angle = rng.uniform(0, 2 * math.pi)
    slope = across * math.cos(angle) + down * math.sin(angle)
    bump = np.hypot(across - rng.uniform(-0.6, 0.6), down - rng.uniform(-0.6, 0.6))
    return _stretched(slope if rng.random() < 0.5 else bump, rng)


def white_noise(rng: np.random.Generator) -> GreyImage:
    """Each pixel for itself, or grains of a few pixels."""
    size = int(rng.integers(_SIZE // 6, _SIZE + 1))
    return _resized(_grey(rng.normal(rng.uniform(60, 200), rng.uniform(30, 90), (size, size))))


def salt_and_pepper(rng: np.random.Generator) -> GreyImage:
    """Black and white grains on grey."""
    picture = np.full((_SIZE, _SIZE), rng.integers(0, 256), np.uint8)
    chance = rng.random(picture.shape)
    share = rng.uniform(0.05, 0.5)
    picture[chance < share / 2], picture[chance > 1 - share / 2] = 0, 255
    return picture


def clouds(rng: np.random.Generator) -> GreyImage:
    """Noise of many sizes added up, the large ones the strongest: like clouds, marble or fog."""
    total = np.zeros((_SIZE, _SIZE))
    fading = rng.uniform(0.4, 0.75)
    for octave in range(1, 7):
        cells = rng.normal(0, 1, (2**octave + 1, 2**octave + 1)).astype(np.float32)
        total += fading**octave * cv2.resize(cells, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
    return _stretched(total, rng)


def stripes(rng: np.random.Generator) -> GreyImage:
    """Waves or bars in one direction, or crossed to a check."""
    across, down = _grid()
    angle, waves = rng.uniform(0, math.pi), rng.uniform(4, 60)
    pattern = np.sin(waves * (across * math.cos(angle) + down * math.sin(angle)))
    if rng.random() < 0.5:
        pattern = pattern * np.sin(waves * (down * math.cos(angle) - across * math.sin(angle)))
    return _stretched(np.sign(pattern) if rng.random() < 0.5 else pattern, rng)


def shapes(rng: np.random.Generator) -> GreyImage:
    """Filled and empty ellipses, rectangles and lines on a plain ground."""
    picture = np.full((_SIZE, _SIZE), rng.integers(0, 256), np.uint8)
    for _ in range(int(rng.integers(3, 25))):
        level, thickness = (int(rng.integers(0, 256)),), int(rng.choice([-1, 1, 3, 8]))
        start, end = _point(rng), _point(rng)
        match int(rng.integers(0, 3)):
            case 0:
                cv2.rectangle(picture, start, end, level, thickness)
            case 1:
                axes = (int(rng.integers(4, 90)), int(rng.integers(4, 90)))
                cv2.ellipse(picture, start, axes, rng.uniform(0, 180), 0, 360, level, thickness)
            case _:
                cv2.line(picture, start, end, level, max(1, thickness))
    return picture


def text_page(rng: np.random.Generator) -> GreyImage:
    """Lines of dark letters on paper, or of bright ones on a screen; sometimes with a heading and ruled boxes."""
    sheet = Image.new("L", (2 * _SIZE, 2 * _SIZE), int(rng.integers(200, 256)))
    pen = ImageDraw.Draw(sheet)
    height, left = int(rng.integers(9, 34)), int(rng.integers(6, 50))
    font, heading = ImageFont.load_default(height), ImageFont.load_default(round(1.8 * height))
    for line, top in enumerate(range(int(rng.integers(5, 60)), 2 * _SIZE, round(height * rng.uniform(1.1, 1.9)))):
        if rng.random() < 0.85:
            is_heading = line == 0 and rng.random() < 0.5
            pen.text((left, top), _words(rng), int(rng.integers(0, 80)), heading if is_heading else font)
    if rng.random() < 0.3:
        for corners in np.sort(rng.integers(0, 2 * _SIZE, (int(rng.integers(2, 8)), 2, 2)), axis=1):
            pen.rectangle([int(edge) for edge in corners.ravel()], outline=60)
    return _photographed(np.asarray(sheet), rng)


def table(rng: np.random.Generator) -> GreyImage:
    """A ruled table of figures, as laboratories print it."""
    page = np.full((2 * _SIZE, 2 * _SIZE), rng.integers(200, 256), np.uint8)
    width, height = int(rng.integers(50, 140)), int(rng.integers(22, 60))
    for top in range(10, 2 * _SIZE, height):
        cv2.line(page, (10, top), (2 * _SIZE - 10, top), (90,), 1)
        for left in range(10, 2 * _SIZE, width):
            cv2.putText(
                page,
                f"{rng.uniform(0, 200):.1f}",
                (left + 4, top + 16),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.45,
                (20,),
                1,
                cv2.LINE_AA,
            )
    for left in range(10, 2 * _SIZE, width):
        cv2.line(page, (left, 10), (left, 2 * _SIZE - 10), (90,), 1)
    return _photographed(page, rng)


def chart(rng: np.random.Generator) -> GreyImage:
    """Axes with curves, bars or dots."""
    page = np.full((2 * _SIZE, 2 * _SIZE), 255, np.uint8)
    low, high = 50, 2 * _SIZE - 30
    cv2.line(page, (low, 20), (low, high), (0,), 2)
    cv2.line(page, (low, high), (2 * _SIZE - 20, high), (0,), 2)
    kind = int(rng.integers(0, 3))
    for _ in range(int(rng.integers(1, 5))):
        level = (int(rng.integers(0, 170)),)
        along = np.linspace(low, 2 * _SIZE - 20, int(rng.integers(5, 40)))
        walk = np.clip(np.cumsum(rng.normal(0, 40, along.size)) + rng.uniform(80, 350), 25, high)
        points = np.stack([along, walk], axis=1).round().astype(np.int32)
        if kind == 0:
            cv2.polylines(page, [points], False, level, 2, cv2.LINE_AA)
        for x, y in points.tolist() if kind else []:
            cv2.rectangle(page, (x, y), (x + 8, high if kind == 1 else y + 8), level, -1)
    return _photographed(page, rng)


def limb(rng: np.random.Generator) -> GreyImage:
    """A radiograph of an arm or a leg: soft tissue, and one or two long bones with a bright rim."""
    film = np.full((_SIZE, _SIZE), rng.uniform(5, 40))
    bow = rng.uniform(-15, 15)
    half = rng.uniform(30, 65)
    film += _tube(_SIZE / 2, half, half * rng.uniform(0.6, 1), bow, rng.uniform(50, 80))
    for middle in (0.0,) if rng.random() < 0.4 else (-0.42, 0.4):
        radius = half * rng.uniform(0.14, 0.26)
        centre, end = _SIZE / 2 + middle * half, radius * rng.uniform(0.8, 1.7)
        film += _tube(centre, radius, end, bow, rng.uniform(60, 90)) - _tube(centre, radius * 0.5, end * 0.5, bow, 30)
    return _exposed(film, rng)


def hand(rng: np.random.Generator) -> GreyImage:
    """A radiograph of a hand: five rays of bones in soft tissue, spread from a wrist."""
    flesh, bones = np.zeros((2, _SIZE, _SIZE), np.uint8)
    root = np.array([_SIZE / 2, _SIZE * rng.uniform(0.75, 0.9)])
    for finger in range(5):
        angle = math.radians(-50 + 24 * finger + rng.uniform(-4, 4))
        direction = np.array([math.sin(angle), -math.cos(angle)])
        joints = [root + direction * _SIZE * share for share in (0.1, 0.36, 0.52, 0.62, 0.69)]
        cv2.line(flesh, _place(root), _place(joints[-1]), (110,), int(rng.integers(18, 26)), cv2.LINE_AA)
        for near, far in pairwise(joints):
            gap = (far - near) * 0.07
            cv2.line(bones, _place(near + gap), _place(far - gap), (120,), int(rng.integers(5, 10)), cv2.LINE_AA)
    cv2.circle(flesh, _place(root), int(_SIZE * 0.2), (110,), -1)
    return _exposed(cv2.GaussianBlur(flesh, (0, 0), 4) * 0.7 + bones + 15.0, rng)


def slice_through_a_body(rng: np.random.Generator) -> GreyImage:
    """A computed or magnetic tomogram across a body or a head: an oval on black, organs, a bright rim or spine."""
    film = np.zeros((_SIZE, _SIZE), np.uint8)
    axes = (int(rng.integers(70, 108)), int(rng.integers(50, 100)))
    cv2.ellipse(film, _CENTRE, axes, 0, 0, 360, (int(rng.integers(80, 150)),), -1)
    for _ in range(int(rng.integers(4, 14))):
        place = tuple(int(_SIZE / 2 + rng.uniform(-0.6, 0.6) * axis) for axis in axes)
        organ = (int(rng.integers(5, 40)), int(rng.integers(5, 30)))
        cv2.ellipse(film, place, organ, rng.uniform(0, 180), 0, 360, (int(rng.integers(20, 200)),), -1)
    if rng.random() < 0.5:
        cv2.ellipse(film, _CENTRE, axes, 0, 0, 360, (250,), int(rng.integers(3, 10)))
    else:
        cv2.circle(film, (_SIZE // 2, int(_SIZE / 2 + 0.7 * axes[1])), int(rng.integers(8, 18)), (240,), -1)
    return _exposed(film.astype(np.float64), rng, turned=False)


def ultrasound(rng: np.random.Generator) -> GreyImage:
    """A fan of speckle on black, with dark hollows."""
    across, down = _grid()
    radius, angle = np.hypot(across, down + 1), np.arctan2(across, down + 1)
    grain = cv2.GaussianBlur(rng.rayleigh(1.0, (_SIZE, _SIZE)), (0, 0), rng.uniform(0.8, 2.0))
    echo = grain * (0.4 + clouds(rng) / 255.0)
    for _ in range(int(rng.integers(1, 5))):
        hollow = np.hypot(across - rng.uniform(-0.5, 0.5), down - rng.uniform(-0.5, 0.7)) < rng.uniform(0.08, 0.3)
        echo[hollow] *= 0.2
    fan = (
        (np.abs(angle) < rng.uniform(0.4, 0.8)) & (radius < rng.uniform(1.6, 1.95)) & (radius > rng.uniform(0.05, 0.3))
    )
    return _grey(np.where(fan, echo / np.percentile(echo, 99) * 255, 0))


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each pixel lies to the right of the middle and below it, -1 to 1."""
    steps = np.linspace(-1, 1, _SIZE)
    across, down = np.meshgrid(steps, steps)
    return across, down


def _tube(centre: float, half: float, end_half: float, bow: float, level: float) -> NDArray[np.float64]:
    """What a standing cylinder takes of the rays: most where it is thickest. `half` is its radius in its middle."""
    across, down = np.meshgrid(np.arange(_SIZE, dtype=float), np.linspace(-1, 1, _SIZE))
    radius = half + (end_half - half) * down**2
    offset = (across - centre - bow * down**2) / radius
    return np.asarray(level * np.sqrt(np.clip(1 - offset**2, 0, None)))


def _exposed(film: NDArray[np.float64], rng: np.random.Generator, turned: bool = True) -> GreyImage:
    """Blurred, with noise; where asked for turned in any direction, as a limb lies on a detector."""
    soft = cv2.GaussianBlur(film, (0, 0), rng.uniform(0.5, 1.5)) * rng.uniform(0.7, 1.3)
    if turned:
        matrix = cv2.getRotationMatrix2D(_CENTRE, rng.uniform(0, 360), rng.uniform(0.9, 1.4))
        soft = cv2.warpAffine(soft, matrix, (_SIZE, _SIZE), borderMode=cv2.BORDER_REPLICATE)
    return _grey(soft + rng.normal(0, rng.uniform(1, 6), soft.shape))


def _photographed(page: GreyImage, rng: np.random.Generator) -> GreyImage:
    """A page as it comes: straight or askew, evenly lit or not, dark on bright or bright on dark."""
    if rng.random() < 0.4:
        middle = (page.shape[1] / 2, page.shape[0] / 2)
        matrix = cv2.getRotationMatrix2D(middle, rng.uniform(-15, 15), rng.uniform(0.7, 1.1))
        page = cv2.warpAffine(page, matrix, page.shape[::-1], borderValue=(int(rng.integers(0, 256)),))
    light = np.linspace(rng.uniform(0.5, 1), 1, page.shape[1])
    lit = _resized(_grey(page * light))
    return 255 - lit if rng.random() < 0.25 else lit


def _words(rng: np.random.Generator) -> str:
    return " ".join("".join(rng.choice(_LETTERS, int(rng.integers(2, 10)))) for _ in range(int(rng.integers(2, 9))))


def _point(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(0, _SIZE)), int(rng.integers(0, _SIZE))


def _place(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _stretched(values: NDArray[np.float64], rng: np.random.Generator) -> GreyImage:
    """Brought to a random range of grey levels."""
    low, high = rng.uniform(0, 70), rng.uniform(150, 255)
    return _grey(low + (values - values.min()) / (np.ptp(values) + 1e-9) * (high - low))


def _resized(picture: GreyImage) -> GreyImage:
    shrinks = picture.shape[0] > _SIZE
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (_SIZE, _SIZE), interpolation=method), np.uint8)


def _grey(values: NDArray[np.float64]) -> GreyImage:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)
