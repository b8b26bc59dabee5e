"""Decode, sample, fit and normalise: one definition for training, evaluation and prediction."""

from a2keras.models.preprocessing.decode import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    DecodeError,
    read,
    read_image,
    read_video,
)
from a2keras.models.preprocessing.geometry import fit
from a2keras.models.preprocessing.sampling import clip_indices, even_starts
from a2keras.models.preprocessing.spec import Preprocessing, normalisation

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "DecodeError",
    "Preprocessing",
    "clip_indices",
    "even_starts",
    "fit",
    "normalisation",
    "read",
    "read_image",
    "read_video",
]
