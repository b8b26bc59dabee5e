"""The tables of formats against the libraries that decode them."""

import av
import pytest
from PIL import Image

from a2keras.models.preprocessing import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.models.preprocessing.file_formats import HEIF_SUFFIXES, IMAGE_FORMATS, VIDEO_FORMATS

# What Pillow opens and we do not, or not as an image.
PROGRAMS = {"EPS"}  # Ghostscript
OPENS_ANYTHING = {"IPTC"}
ONLY_IDENTIFIED = {"BUFR", "GRIB", "HDF5", "MPEG", "WMF"}
WRONG = {"FITS"}  # 16 bits in the other byte order
VIDEOS = {"FLI", "GIF"}
# FFmpeg knows suffixes for reading and for writing; some containers it only writes under others.
WRITERS = ["ipod", "ismv", "mpeg1video", "mpeg2video", "ogv", "vob", "webm"]
# What it has under these that holds no video, or an image.
SOUND = {"isma", "m4a", "m4b", "mka", "mks", "ogg", "ra", "wma"}
STILLS = {"apng", "avif", "heic", "heif", "ism", "mpo"}
# Suffixes in use that it has no name for: it goes by the content.
IN_USE = {"divx", "flc", "fli", "nsv", "ogm", "qt", "rmvb"}


def test_images_are_all_that_pillow_decodes_by_itself():
    Image.init()
    of_pillow: dict[str, set[str]] = {}
    for suffix, name in Image.registered_extensions().items():
        of_pillow.setdefault("JPEG" if name == "MPO" else name, set()).add(suffix)
    openable = {name for name in of_pillow if name in Image.OPEN}
    assert {name for name in IMAGE_FORMATS if IMAGE_FORMATS[name]} - {"AVIF"} == (
        openable - PROGRAMS - OPENS_ANYTHING - ONLY_IDENTIFIED - WRONG - VIDEOS - {"AVIF", "HEIF"}
    )
    for name in openable & set(IMAGE_FORMATS) - VIDEOS:
        assert set(IMAGE_FORMATS[name]) == of_pillow[name], name


def extensions(name: str, mode: str) -> set[str]:
    try:
        return set(av.ContainerFormat(name, mode).extensions)
    except ValueError:
        return set()


def test_videos_are_what_ffmpeg_demuxes():
    known = set()
    for name in [*VIDEO_FORMATS, *WRITERS]:
        known |= extensions(name, "r") | extensions(name, "w")
    suffixes = {suffix[1:] for suffix in VIDEO_SUFFIXES}
    assert known - suffixes == SOUND | STILLS | {"avs"}
    assert suffixes - known == IN_USE
    for name in VIDEO_FORMATS:
        assert av.ContainerFormat(name, "r").is_input


@pytest.mark.parametrize("name", ["concat", "hls", "sdp", "lavfi", "image2", "rtsp", "vobsub"])
def test_what_reads_other_files_is_no_format_of_ours(name):
    assert name not in VIDEO_FORMATS


def test_suffixes():
    assert not IMAGE_SUFFIXES & VIDEO_SUFFIXES
    assert set(HEIF_SUFFIXES) <= IMAGE_SUFFIXES
    for suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        assert suffix == suffix.lower() and suffix.startswith(".")
    assert {".jfif", ".jpe", ".avif", ".jp2", ".ppm", ".jpg", ".tiff"} <= IMAGE_SUFFIXES
    assert {".mts", ".m2ts", ".mp4", ".gif", ".3gp", ".ogv", ".vob"} <= VIDEO_SUFFIXES
    assert not {".eps", ".ps", ".wmf", ".emf", ".iim", ".m3u8", ".sdp", ".svg"} & (
        IMAGE_SUFFIXES | VIDEO_SUFFIXES
    )
