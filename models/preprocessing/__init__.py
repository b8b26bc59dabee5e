"""Decode, sample, fit and normalise: one definition for training, evaluation and prediction."""

from a2keras.models.preprocessing.decode import IMAGE_SUFFIXES, VIDEO_SUFFIXES, read
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.geometry import fit
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.sampling import clip_indices, even_starts, steady_indices
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.preprocessing.video import Video, decode_video, read_video

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "DecodeError",
    "Pixels",
    "Preprocessing",
    "Video",
    "clip_indices",
    "decode_video",
    "even_starts",
    "fit",
    "read",
    "read_image",
    "read_video",
    "steady_indices",
]
