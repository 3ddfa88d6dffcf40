"""A demo as such demos are: for each request the model is loaded anew, asked, and explained by a GradientTape.

`python -m tests.bench.demo MODEL OUT FILE…` prints the CPU seconds of each request as JSON. TensorFlow stays imported.
The network and its weights are the shipped ones, the picture is decoded as everywhere, and what is written is as
small as it can be: two PNG files of the network's own size. So what differs is the way of serving alone. The
network looks at the picture once, and not at its mirror image.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from diagnoses.imaging.decode import decode
from workers.inference.architectures import ARCHITECTURES
from workers.inference.card import WEIGHTS_NAME, read_card
from workers.inference.network import BACKBONE, build_classifier, load_weights, score_of
from workers.inference.preprocess import preprocess


def answer(model: Path, file: Path, out: Path) -> float:
    """The score of one file. Leaves the picture and the picture under its heatmap in `out`."""
    card = read_card(model)
    classifier = build_classifier(ARCHITECTURES[card.architecture])
    load_weights(classifier, model / WEIGHTS_NAME)
    picture = preprocess(decode(file.read_bytes()).pixels, card.input_size)
    pixels = picture[None, ..., None].astype(np.float32)
    score = float(score_of(classifier.predict(pixels, verbose=0))[0])
    heat = cv2.resize(_grad_cam(classifier, pixels), picture.shape[::-1])
    coloured = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_JET)
    plain = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    cv2.imwrite(str(out / f"{file.stem}-picture.png"), plain)
    cv2.imwrite(str(out / f"{file.stem}-heatmap.png"), cv2.addWeighted(plain, 0.6, coloured, 0.4, 0))
    return score


def _grad_cam(classifier: keras.Model, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grad-CAM of the score, 0 to 1, shape (rows, columns), layer by layer in eager mode."""
    scaled = tf.repeat(tf.constant(pixels / 127.5 - 1.0), 3, axis=-1)
    with tf.GradientTape() as tape:
        features = classifier.get_layer(BACKBONE)(scaled, training=False)
        score: Any = score_of(classifier.layers[-1](tf.reduce_mean(features, axis=(1, 2))))
    weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
    heat: NDArray[np.float32] = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))[0].numpy()
    return heat / max(float(heat.max()), 1e-6)


def main(model: str, out: str, *files: str) -> None:
    seconds = []
    for file in files:
        before = time.process_time()
        answer(Path(model), Path(file), Path(out))
        seconds.append(time.process_time() - before)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
