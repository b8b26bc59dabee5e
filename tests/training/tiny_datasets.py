"""Small sets of TensorFlow Datasets, made without a download."""

import io

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

CLASSES = ("blue", "red")


def picture(number: int, height: int = 23, width: int = 31) -> np.ndarray:
    """A smooth picture of its own for every number: uint8 (height, width, 3)."""
    random = np.random.default_rng(number)
    small = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def encoded(pixels: np.ndarray, kind: str) -> io.BytesIO:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    buffer.seek(0)
    return buffer


def info(builder, features, supervised_keys=None) -> tfds.core.DatasetInfo:
    features = tfds.features.FeaturesDict(features)
    return tfds.core.DatasetInfo(
        builder=builder, features=features, supervised_keys=supervised_keys
    )


class TinyPictures(tfds.core.GeneratorBasedBuilder):
    """JPEG and PNG images: 11 to train on, 5 to test, 3 whose class is not told."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=CLASSES),
            "note": tfds.features.Text(),
        }
        pair = ("image", "label")
        return info(self, features, pair)

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(11)),
            "validation": self._generate_examples(range(100, 105)),
            "test": self._generate_examples(range(200, 203)),
        }

    def _generate_examples(self, numbers):
        for number in numbers:
            kind = "PNG" if number % 2 else "JPEG"
            label = -1 if number >= 200 else number % 2
            image = encoded(picture(number), kind)
            yield number, {"image": image, "label": label, "note": str(number)}


class TinyFilms(tfds.core.GeneratorBasedBuilder):
    """Videos of 5, 6, … frames, with only a split to train on and no pair of input and target."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "film": tfds.features.Video(shape=(None, 23, 31, 3)),
            "what": tfds.features.ClassLabel(names=CLASSES),
        }
        return info(self, features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(8):
            film = [picture(1000 * number + t) for t in range(5 + number)]
            yield number, {"film": film, "what": number % 2}


class TinyPairs(tfds.core.GeneratorBasedBuilder):
    """Two images each, so that nobody can say which one the class is of."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "left": tfds.features.Image(),
            "right": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=CLASSES),
        }
        return info(self, features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"left": picture(0), "right": picture(1), "label": 0}


class TinyDownload(TinyPictures):
    """What cannot be prepared without a file from elsewhere."""

    def _split_generators(self, dl_manager):
        raise FileNotFoundError("put archive.zip into the folder for manual downloads\nand more")


class TinyGap(TinyPictures):
    """Images of two of its three classes, in one split."""

    def _info(self):
        label = tfds.features.ClassLabel(names=("blue", "red", "green"))
        return info(self, {"image": tfds.features.Image(), "label": label}, ("image", "label"))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(range(11))}

    def _generate_examples(self, numbers):
        for number in numbers:
            yield number, {"image": encoded(picture(number), "PNG"), "label": number % 2}


class TinyUnknown(TinyPictures):
    """Images in a split whose name says nothing."""

    def _split_generators(self, dl_manager):
        return {"extra": self._generate_examples(range(3))}


class TinyTest(TinyPictures):
    """Images to be scored, of one class."""

    def _split_generators(self, dl_manager):
        return {"test": self._generate_examples(range(1, 9, 2))}


class TinyUnsure(TinyPictures):
    """Images some of which have no class: the number 3 and, in a split of its own, 101."""

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(7)),
            "test": self._generate_examples(range(100, 103)),
        }

    def _generate_examples(self, numbers):
        for number, example in super()._generate_examples(numbers):
            yield number, {**example, "label": -1 if number in (3, 101) else number % 2}
