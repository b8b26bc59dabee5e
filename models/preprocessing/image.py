"""From an image file to uint8 RGB pixels, by Pillow."""

import io
import warnings
from typing import Any

import numpy as np

from a2keras.models.preprocessing import errors
from a2keras.models.preprocessing.errors import DecodeError, check_pixels, opened, undecodable
from a2keras.models.preprocessing.places import Path_, read_bytes, tensorflow_io

# First bytes of the formats that tensorflow-io decodes.
TIFF = (b"II*\0", b"MM\0*")
WEBP = b"RIFF"


def read_image(path: Path_, data: bytes | None = None) -> np.ndarray:
    """Reads an image (of an animated one the first frame) as uint8 RGB (H, W, 3).

    EXIF orientation is applied; 16-bit grey keeps its upper 8 bits; transparent parts are laid
    over white. TIFF and WebP that Pillow cannot read are given to tensorflow-io, where it loads.

    Args:
        path: the file.
        data: its bytes, where they have been read already; the path is then its name.

    Raises:
        DecodeError: missing, no image, cut off, damaged, or more than `MAX_PIXELS`.
        OutOfResources: too little memory, or too few files that may be open.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    source = opened(path) if data is None else io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            # Pillow warns beside our own limit, and about damaged metadata that does not matter.
            warnings.simplefilter("ignore")
            with Image.open(source) as image:
                if image.format == "EPS":
                    raise DecodeError(path, "is PostScript: a program to run, not pixels")
                check_pixels(path, *image.size)
                return to_rgb(ImageOps.exif_transpose(image))
    except DecodeError:
        raise
    except Image.DecompressionBombError:
        reason = f"has more pixels than the limit of {errors.MAX_PIXELS}"
        raise DecodeError(path, reason) from None
    except UnidentifiedImageError:
        return _by_tensorflow_io(path, read_bytes(path) if data is None else data)
    except Exception as error:  # on damaged bytes Pillow raises errors of a dozen types
        raise undecodable(path, "is a damaged or cut-off image", error) from error


def to_rgb(image: Any) -> np.ndarray:
    """The pixels of a Pillow image as uint8 RGB (H, W, 3), see `read_image`."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floats of unknown range")
    if image.mode.startswith("I"):
        grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def _by_tensorflow_io(path: Path_, data: bytes) -> np.ndarray:
    """TIFF of kinds that Pillow does not know (16-bit grey with alpha, say), and WebP."""
    if not data.startswith((*TIFF, WEBP)):
        raise DecodeError(path, "is not an image that can be read")
    if (tfio := tensorflow_io()) is None:
        raise DecodeError(
            path, "is not an image that Pillow can read; with 'a2keras[io]' tensorflow-io may"
        )
    from PIL import Image

    decode = tfio.image.decode_webp if data.startswith(WEBP) else _decode_tiff(tfio)
    try:
        pixels = decode(data).numpy()
    except Exception as error:
        raise undecodable(path, "is a damaged or cut-off image", error) from error
    check_pixels(path, *pixels.shape[1::-1])
    return to_rgb(Image.fromarray(pixels, "RGBA"))


def _decode_tiff(tfio: Any) -> Any:
    return tfio.experimental.image.decode_tiff
