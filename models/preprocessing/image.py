"""From an image file to uint8 RGB pixels, by Pillow."""

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from a2keras import files
from a2keras.models.preprocessing import errors
from a2keras.models.preprocessing.colours import to_rgb
from a2keras.models.preprocessing.errors import DecodeError, check_pixels, undecodable
from a2keras.models.preprocessing.file_formats import IMAGE_FORMATS
from a2keras.models.preprocessing.jpeg import MAX_SCANS, has_many_scans
from a2keras.models.preprocessing.opening import decoder_input
from a2keras.models.preprocessing.orientation import block_of, orientation_in, upright
from a2keras.models.preprocessing.places import Path_, is_remote, tensorflow_io
from a2keras.models.preprocessing.png import lacks_rows

# First bytes of the formats that tensorflow-io decodes.
TIFF = (b"II*\0", b"MM\0*")
WEBP = b"RIFF"
POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")
# Bytes of a PNG's colour profile: those of printers have more than the megabyte that Pillow allows.
LARGEST_PROFILE = 16 * 1024**2
SMALL = 2**16  # bytes of a file that is read at once, since each of a decoder's reads costs more
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")


class NotAnImage(DecodeError):
    """By its first bytes a file is no image of `IMAGE_FORMATS`; it may be a video."""


def read_image(path: Path_, data: bytes | None = None) -> np.ndarray:
    """Reads an image (of an animated one the first frame) as uint8 RGB (H, W, 3).

    It is turned as `orientation` says, and transparent parts are laid over white; `colours` says
    what becomes of more than 8 bits. TIFF and WebP that Pillow cannot read are given to
    tensorflow-io, where it loads; HEIC is read where pillow-heif is installed.

    Args:
        path: the file.
        data: its bytes, where they have been read already; the path is then its name.

    Raises:
        DecodeError: missing, no image, cut off, damaged, more than `MAX_PIXELS`, or a JPEG of more
            than `MAX_SCANS`.
        OutOfResources: too little memory, or too few files that may be open.
    """
    from PIL import Image, UnidentifiedImageError

    with _stream(path) if data is None else io.BytesIO(data) as file:
        try:
            with unwarned(), Image.open(file, formats=formats()) as image:
                check_pixels(path, *image.size)
                if image.format in ("JPEG", "MPO") and has_many_scans(file):
                    raise DecodeError(path, f"has more scans than the limit of {MAX_SCANS}")
                image.info.pop("xmp", None)  # by which Pillow, too, would turn TIFF
                pixels = to_rgb(image, path)
                if image.format == "PNG" and _is_plain(pixels[-2:]) and lacks_rows(file):
                    raise DecodeError(path, "is a damaged or cut-off image (rows are missing)")
                return upright(pixels, _orientation(file, image))
        except DecodeError:
            raise
        except Image.DecompressionBombError:
            reason = f"has more pixels than the limit of {errors.MAX_PIXELS}"
            raise DecodeError(path, reason) from None
        except UnidentifiedImageError:
            file.seek(0)
            return _by_tensorflow_io(path, file.read())
        except Exception as error:  # on damaged bytes Pillow raises errors of a dozen types
            raise undecodable(path, "is a damaged or cut-off image", error) from error


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Without warnings: Pillow has some beside our limit, and about metadata that do not matter.

    Within another such block it does nothing. Whoever reads many small files makes one around all
    of them: after every change of the filters Python looks at all of them again.
    """
    if warnings.filters[:1] == [("ignore", None, Warning, None, 0)]:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def formats() -> tuple[str, ...]:
    """What Pillow may open, by its own names: no other formats, whatever the content."""
    from PIL import Image, PngImagePlugin

    PngImagePlugin.MAX_TEXT_CHUNK = LARGEST_PROFILE
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    # Pillow tries one after the other: first those that most files have, told by their first bytes.
    usual = ("JPEG", "PNG")
    others = (name for name in (*IMAGE_FORMATS, "HEIF") if name not in usual)
    return tuple(name for name in (*usual, *others) if name in Image.OPEN)


def _stream(path: Path_) -> BinaryIO:
    if is_remote(path):
        source = decoder_input(path)
        assert isinstance(source, io.BytesIO)
        return source
    try:
        file = files.open_file(os.fsdecode(path))
        head = file.read(SMALL)
        if len(head) < SMALL:
            file.close()
            return io.BytesIO(head)
        file.seek(0)
        return file
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        decoder_input(path)  # says what is there instead of a file
        raise undecodable(path, "cannot be read", error) from error


def _is_plain(rows: np.ndarray) -> bool:
    """Whether a row is of one colour: it may be one that is missing."""
    return bool((rows == rows[:, :1]).all(axis=(1, 2)).any())


def _orientation(file: BinaryIO, image: Any) -> int:
    block = block_of(file)
    if block is None:
        block = image.info.get("exif")
    return orientation_in(block) if isinstance(block, bytes) else 1


def _by_tensorflow_io(path: Path_, data: bytes) -> np.ndarray:
    """TIFF of kinds that Pillow does not know (16-bit grey with alpha, say), and WebP."""
    if not data.startswith((*TIFF, WEBP)):
        raise NotAnImage(path, _what_else(data))
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
    return to_rgb(Image.fromarray(pixels, "RGBA"), path)


def _decode_tiff(tfio: Any) -> Any:
    return tfio.experimental.image.decode_tiff


def _what_else(data: bytes) -> str:
    """What a file is, of which Pillow says that it is no image."""
    if not data:
        return "is empty"
    if data.startswith(POSTSCRIPT):
        return "is PostScript: a program to run, not pixels"
    if data[4:8] == b"ftyp" and b"avif" not in data[8:64] and data[8:12] in HEIF_BRANDS:
        if "HEIF" not in formats():
            return "is HEIC, which Pillow reads with a plug-in: pip install pillow-heif"
    elif data[4:12] in (b"ftypavif", b"ftypavis") and "AVIF" not in formats():
        return "is AVIF, which this version of Pillow does not read: pip install -U pillow"
    return "is not an image that can be read"
