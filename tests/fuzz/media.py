"""Images, their EXIF blocks, and videos."""

import io
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reader import Reader

# What Pillow writes: suffix, mode, options.
IMAGES = (
    ("jpg", "RGB", {"quality": 80}),
    ("jpg", "RGB", {"progressive": True, "optimize": True}),
    ("jpg", "CMYK", {}),
    ("jpeg", "L", {}),
    ("png", "RGB", {}),
    ("png", "RGBA", {}),
    ("png", "P", {"transparency": 3}),
    ("png", "LA", {}),
    ("png", "I;16", {}),
    ("png", "1", {}),
    ("webp", "RGB", {}),
    ("webp", "RGBA", {"lossless": True}),
    ("webp", "RGB", {"save_all": True}),
    ("bmp", "RGB", {}),
    ("bmp", "P", {}),
    ("tif", "RGB", {}),
    ("tif", "RGB", {"compression": "tiff_lzw"}),
    ("tif", "RGB", {"compression": "jpeg"}),
    ("tiff", "I;16", {"compression": "tiff_adobe_deflate"}),
    ("tiff", "CMYK", {}),
    ("tiff", "F", {}),
    ("gif", "P", {"save_all": True}),
    ("avif", "RGB", {}),
    ("jp2", "RGB", {}),
    ("ppm", "RGB", {}),
    ("pgm", "I;16", {}),
    ("ico", "RGBA", {}),
    ("tga", "RGB", {"compression": "tga_rle"}),
    ("pcx", "RGB", {}),
    ("sgi", "RGB", {}),
    ("dds", "RGB", {}),
    ("qoi", "RGB", {}),
    ("icns", "RGBA", {}),
)


def picture(number: int, height: int = 24, width: int = 32) -> Any:
    """A smooth picture of its own for every number: uint8 (height, width, 3)."""
    import numpy as np
    from PIL import Image

    small = np.random.default_rng(number).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def image_seeds(folder: Path) -> Iterable[Path]:
    import numpy as np
    from PIL import Image

    for number, (suffix, mode, options) in enumerate(IMAGES):
        image = Image.fromarray(picture(number))
        if mode in ("I;16", "F"):
            image = Image.fromarray(np.asarray(image.convert("L")).astype("uint16") << 8)
        if mode == "F":
            image = Image.fromarray(np.asarray(image).astype("uint32") << 12, "I")
        elif mode != "I;16":
            image = image.convert(mode)
        if "save_all" in options:
            options = {**options, "append_images": [image.rotate(90), image.rotate(180)]}
        path = folder / f"{number:02}.{suffix}"
        image.save(path, **options)
        yield path


def read_image(path: Path) -> None:
    from a2keras.models.preprocessing import read_image

    pixels = read_image(path)
    assert pixels.dtype == "uint8" and pixels.ndim == 3 and pixels.shape[2] == 3


# EXIF blocks: (tag, type, count, value or bytes) of their first directory.
_ASCII, _SHORT, _LONG, _RATIONAL, _BYTE = 2, 3, 4, 5, 1
EXIF = (
    ((0x112, _SHORT, 1, 6),),
    ((0x112, _SHORT, 1, 3), (0x11A, _RATIONAL, 1, b"\0\0\0\x48\0\0\0\1")),
    ((0x112, _SHORT, 1, 3), (0x131, _ASCII, 9, b"Camera 1\0")),
    ((0x10F, _ASCII, 6, b"Maker\0"), (0x112, _LONG, 1, 8), (0x8769, _LONG, 1, 200)),
    ((0x112, _BYTE, 1, 5), (0x112, _SHORT, 1, 6), (0x11A, _ASCII, 5, b"72/1\0")),
)  # fmt: skip


def exif_block(tags: tuple, order: str) -> bytes:
    """A TIFF header with one directory; what has no room in it stands behind it."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    behind, entries = b"", b""
    for tag, kind, count, value in tags:
        size = {_BYTE: "B3x", _SHORT: "H2x", _LONG: "I"}.get(kind)
        if isinstance(value, int):
            field = struct.pack(order + size, value)
        else:
            field = struct.pack(f"{order}I", 8 + 2 + 12 * len(tags) + 4 + len(behind))
            behind += value
        entries += struct.pack(f"{order}HHI", tag, kind, count) + field
    return head + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + behind


def exif_seeds(folder: Path) -> Iterable[Path]:
    for number, tags in enumerate(EXIF):
        for order, name in (("<", "little"), (">", "big")):
            path = folder / f"{number}_{name}.exif"
            path.write_bytes(exif_block(tags, order))
            yield path


def read_exif(path: Path) -> None:
    """A sound picture with this block is always read, whatever the block says."""
    from PIL import Image

    from a2keras.models.preprocessing import read_image

    buffer = io.BytesIO()
    Image.fromarray(picture(0)).save(buffer, "JPEG")
    block = b"Exif\0\0" + path.read_bytes()[:65000]
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    pixels = read_image("x.jpg", buffer.getvalue()[:2] + segment + buffer.getvalue()[2:])
    assert pixels.shape in ((24, 32, 3), (32, 24, 3))


# What FFmpeg writes: suffix, codec, pixel format.
VIDEOS = (
    ("mp4", "libx264", "yuv420p"),
    ("mp4", "mpeg4", "yuv420p"),
    ("mov", "mjpeg", "yuvj420p"),
    ("mkv", "libx264", "yuv420p"),
    ("mkv", "ffv1", "yuv420p"),
    ("webm", "libvpx", "yuv420p"),
    ("webm", "libvpx-vp9", "yuv420p"),
    ("avi", "mpeg4", "yuv420p"),
    ("avi", "mjpeg", "yuvj420p"),
    ("avi", "rawvideo", "bgr24"),
    ("ts", "mpeg2video", "yuv420p"),
    ("ts", "libx264", "yuv420p"),
    ("mpg", "mpeg1video", "yuv420p"),
    ("flv", "flv", "yuv420p"),
    ("wmv", "wmv2", "yuv420p"),
    ("gif", "gif", "rgb8"),
)


def write_video(path: Path, codec: str, pixel_format: str, frames: int = 12) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 24, 32, pixel_format
        stream.codec_context.gop_size = 5
        container.metadata["title"] = "a clip"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def video_seeds(folder: Path) -> Iterable[Path]:
    for suffix, codec, pixel_format in VIDEOS:
        path = folder / f"{codec}.{suffix}"
        write_video(path, codec, pixel_format)
        yield path


def read_video(path: Path) -> None:
    from a2keras.models.preprocessing import decode_video

    video = decode_video(path, 16)
    assert video.frames.ndim == 4 and len(video.frames) == len(video.times) > 0
    assert len(video.steady()) > 0


def read_part(path: Path) -> None:
    from a2keras.models.preprocessing import decode_video

    video = decode_video(path, 16, 0.1, 0.3)
    assert ((video.times >= 0.1) & (video.times < 0.3)).all() and len(video.times) > 0


def read_windows(path: Path) -> None:
    """As `predict` reads a video."""
    from a2keras.models.preprocessing.windows import Windows, even_clips

    for window in Windows(path, even_clips(2, 3, 2), 16):
        assert len(window.frames) == 3


READERS = (
    Reader("images", image_seeds, read_image, 500),
    Reader("exif", exif_seeds, read_exif, 500, clean=()),
    Reader("videos", video_seeds, read_video, 100),
    Reader("video_parts", video_seeds, read_part, 50),
    Reader("video_windows", video_seeds, read_windows, 50),
)
