"""How many scans a JPEG has: each passes over all its pixels again, and an empty one has 10 bytes.

A file of 1 MB may so take an hour to decode. Cameras and libraries write 1 to some 10.
"""

import io
import re
from typing import BinaryIO

MAX_SCANS = 100  # as libtiff allows
# What begins a segment: after FF, neither a byte FF within a scan, a restart, nor FF once more.
MARK = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
FRAMES, PROGRESSIVE = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}, {0xC2, 0xC6, 0xCA, 0xCE}
SCAN, END, BARE = 0xDA, 0xD9, {0x01, 0xD8}


def has_many_scans(file: BinaryIO) -> bool:
    """Whether there are more than `MAX_SCANS` before the end of the first picture in a file."""
    file.seek(0)
    data = file.getvalue() if isinstance(file, io.BytesIO) else file.read()
    place, scans, frame, colours = 2, 0, 0, b""
    while found := MARK.search(data, place):
        place = found.end()
        kind = data[place - 1]
        if kind == END:
            break
        if kind in BARE:
            continue
        if kind in FRAMES:
            frame, colours = kind, data[place + 7 : place + 8]
        elif kind == SCAN:
            if not scans and frame not in PROGRESSIVE and data[place + 2 : place + 3] == colours:
                break  # it has all there is: what follows is not read
            scans += 1
            if scans > MAX_SCANS:
                return True
        place += int.from_bytes(data[place : place + 2], "big")
    return False
