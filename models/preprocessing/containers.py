"""Opening a video's container by FFmpeg, which is let read that one file and nothing else."""

import io
from typing import Any

from a2keras.files import open_file
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.file_formats import VIDEO_FORMATS
from a2keras.models.preprocessing.places import Path_

PLAYLISTS = (b"#EXTM3U", b"ffconcat version", b"v=0", b"[playlist]", b"<smil", b"<asx", b"<MPD")


def open_container(path: Path_, source: str | io.BytesIO) -> Any:
    """The container of a video, or a still image in a form of its own (`png_pipe`).

    FFmpeg goes by the content: a playlist with the suffix of a video would have it open the files
    and addresses that it names. So only the demuxers of `VIDEO_FORMATS` are allowed.

    Args:
        path: what an error names.
        source: what `decoder_input` gives.

    Raises:
        DecodeError: a playlist, or another format that is not read.
        av.FFmpegError: it cannot be opened.
    """
    import av

    stills = ["image2", *(name for name in av.formats_available if name.endswith("_pipe"))]
    options = {
        "format_whitelist": ",".join([*VIDEO_FORMATS, *stills]),
        "protocol_whitelist": "file",
        "pattern_type": "none",  # of image2: `%d` in a file's name stands for itself
    }
    try:
        # Titles in other encodings than UTF-8 are nobody's concern here.
        return av.open(source, options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        if _is_playlist(source):
            raise DecodeError(path, "is a playlist: give the videos that it names") from error
        if isinstance(error, av.ArgumentError):  # how FFmpeg tells that the format is not allowed
            raise DecodeError(path, "is not a video of a format that is read") from error
        raise


def _is_playlist(source: str | io.BytesIO) -> bool:
    if isinstance(source, str):
        with open_file(source) as file:
            head = file.read(512)
    else:
        head = source.getvalue()[:512]
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(PLAYLISTS)
