"""What a sent file is, and what its pixels are: pure functions over bytes, without Django.

The web uses it to check and to show files, the workers to read them, training to learn from them, so that a
picture is decoded in one way everywhere.
"""

import os

MAX_PIXELS = 40_000_000
"""More than the largest detectors give; it bounds the memory that decoding takes."""

# OpenCV reads it once, when it is first imported, and then refuses by the header. It is set here since nothing of this
# package, and nothing of the workers', is imported before this line.
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_PIXELS)
