"""From a Pillow image of any mode to uint8 RGB.

Of colours of more than 8 bits, white is what the file says, else what its kind of number can hold:

- TIFF says it by `SMaxSampleValue` or `MaxSampleValue`, or by fewer than 16 bits a sample (12).
  Black is 0, or `SMinSampleValue` or `MinSampleValue` below 0. This is for grey alone: of RGB with
  16 bits a colour, Pillow gives the upper 8, whatever the file says. JPEG 2000, PGM and PPM say it,
  too, and are scaled by Pillow.
- Else 16 bits keep their upper 8, so that white is 65535; signed ones the 8 below the sign, which
  is black, as signed 8 bits do. PNG always does: by its standard smaller numbers are scaled before
  they are stored, and TensorFlow decodes them so.
- 32-bit integers are taken for 16-bit ones, and it is said once that this is assumed.
- Floats of which the file does not say the range are refused.

Transparent parts are laid over white. Of a PNG's colour that is transparent all bits count.

Where no value of a 16-bit image reaches a quarter of the range, its numbers are likely to have 8 to
14 bits, and it is nearly black: this is said, once in a process.
"""

import math
import os
from typing import Any

import numpy as np

from a2keras.console import say
from a2keras.models.preprocessing.places import Path_

BITS, PHOTOMETRIC, EXTRA_SAMPLES, SAMPLE_FORMAT = 258, 262, 338, 339  # tags of TIFF
MINIMA, MAXIMA = (340, 280), (341, 281)  # of the type of the samples, and of 16 bits
SIGNED, WHITE_IS_ZERO = 2, 0

_said: set[str] = set()


def to_rgb(image: Any, path: Path_) -> np.ndarray:
    """The pixels of a Pillow image as uint8 RGB (H, W, 3).

    Args:
        image: not loaded yet, or made of pixels.
        path: what is named where something is assumed.

    Raises:
        ValueError: floats of unknown range, or that are not all numbers.
    """
    sixteen = ";16" in str(getattr(image, "tile", ""))  # in Pillow's names for layouts of pixels
    if image.mode != "F" and not image.mode.startswith("I"):
        pixels, is_certain = _colours(image, sixteen, path), False
    else:
        pixels, is_certain = _grey(image)
    name = os.fsdecode(path)
    if sixteen and not is_certain and pixels.max() < 64:
        _say_once(
            f"{name}: is nearly black: it stores 16 bits a colour, of which the upper 8 are taken, "
            "and no value reaches a quarter of the range; scale such files before",
            "16 bits",
        )
    elif image.mode == "I" and not sixteen and not is_certain and image.format != "PPM":
        _say_once(f"{name}: has greys of 32 bits, of which 65535 is taken as white", "32 bits")
    return pixels


def _say_once(sentence: str, kind: str) -> None:
    if kind not in _said:
        _said.add(kind)
        say(f"{sentence} (this is said once)")


def _colours(image: Any, sixteen: bool, path: Path_) -> np.ndarray:
    from PIL import Image

    if image.mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(*profiles, "LAB", "RGB")
        converted = ImageCms.applyTransform(image, transform)
        assert converted is not None
        return np.array(converted)
    if image.mode == "CMYK" and image.format in ("JPEG", "MPO"):
        return _cmyk_of_jpeg(image)
    if image.mode == "RGB" and sixteen and "transparency" in image.info:
        return _keyed(image)
    if image.mode == "L" and "transparency" in image.info:
        # Pillow has grey of 2 or 4 bits scaled to 8, and left the transparent one as it is stored.
        bits = {"L;2": 2, "L;4": 4}.get(_layout(image), 8)
        if image.info["transparency"] < 2**bits:
            image.info["transparency"] *= 255 // (2**bits - 1)
    if image.format == "TIFF" and image.mode == "RGBA" and EXTRA_SAMPLES not in image.tag_v2:
        _say_once(
            f"{os.fsdecode(path)}: has four colours and does not say what the fourth is: it is "
            "taken as transparency",
            "extra samples",
        )
    if image.mode == "L" and _number(getattr(image, "tag_v2", {}), SAMPLE_FORMAT) == SIGNED:
        grey = np.array(image).view(np.int8).clip(0).astype(np.uint8) << 1
        return np.repeat(grey[..., None], 3, axis=-1)
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def _layout(image: Any) -> str:
    """How the pixels of an image lie in its file, in Pillow's words; "" where it does not say."""
    layout = image.tile[0][-1] if image.tile else ""
    return layout if isinstance(layout, str) else ""


def _keyed(image: Any) -> np.ndarray:
    """A PNG of 16 bits a colour, the transparent one as white.

    Of each number Pillow gives the upper 8 bits, or the lower ones where it takes the two bytes in
    the other order.
    """
    from PIL import Image

    file, key = image.fp, np.array(image.info["transparency"])
    place = file.tell()
    other: Any
    with Image.open(file, formats=("PNG",)) as other:
        other.tile = [(*each[:-1], "RGB;16L") for each in other.tile]
        is_key = (np.array(other) == key & 255).all(axis=-1)
    file.seek(place)
    pixels = np.array(image)
    pixels[is_key & (pixels == key >> 8).all(axis=-1)] = 255
    return pixels


def _cmyk_of_jpeg(image: Any) -> np.ndarray:
    """CMYK as libjpeg's documentation says and TensorFlow does: light where Adobe's mark stands.

    Pillow takes it for light, not ink, without the mark, too, and has given us its inverse.
    """
    ink = np.array(image).astype(np.int32)
    light = 255 - ink if "adobe" in image.info else ink
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _grey(image: Any) -> tuple[np.ndarray, bool]:
    """Grey of 16 bits, 32 bits or floats as uint8 RGB; and whether its range is certain."""
    tags = getattr(image, "tag_v2", {})
    limits = _range_in(tags, image.mode)
    if image.mode == "F" and limits is None:
        raise ValueError("its pixels are floats of unknown range")
    values = np.asarray(image)
    signed = _number(tags, SAMPLE_FORMAT) == SIGNED
    if values.dtype == np.int32 and not signed:
        values = values.view(np.uint32)  # Pillow has no mode for them
    if limits is None:
        grey = values >> (7 if signed and _number(tags, BITS) == 16 else 8)
    else:
        black, white = limits
        grey = np.rint((values.astype(np.float32) - black) * (255 / (white - black)))
        if not np.isfinite(grey).all():
            raise ValueError("its pixels are not all numbers")
    grey = grey.clip(0, 255).astype(np.uint8)
    if _number(tags, PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = 255 - grey
    if isinstance(key := image.info.get("transparency"), int):  # of a PNG
        grey[values == key] = 255
    # All black is black by any range.
    return np.repeat(grey[..., None], 3, axis=-1), limits is not None or not values.any()


def _range_in(tags: Any, mode: str) -> tuple[float, float] | None:
    """Black and white of grey as the tags of TIFF say; None where they do not."""
    white = _number(tags, *MAXIMA)
    bits = _number(tags, BITS) or 16
    if white is None and mode != "F" and bits < 16:
        white = 2.0**bits - 1
    black = min(_number(tags, *MINIMA) or 0.0, 0.0)
    return None if white is None or white <= black else (black, white)


def _number(tags: Any, *names: int) -> float | None:
    """The first of these tags that is a number, or of several its first; files hold anything."""
    for name in names:
        value = tags.get(name)
        if isinstance(value, tuple) and value:
            value = value[0]
        try:
            number = float(value)
        except (TypeError, ValueError, ArithmeticError):
            continue
        if math.isfinite(number):
            return number
    return None
