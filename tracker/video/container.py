"""What a video file's container says of it: whether its frames were counted, and whether it lost its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def counts_frames(path: Path) -> bool:
    """Whether the container's header counts the frames; of others OpenCV multiplies duration and nominal rate."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" or head[8:12] == b"AVI "


def is_cut(path: Path) -> bool:
    """Whether an mp4, mov, AVI, Matroska or WebM file is shorter than it says; False for others, which do not say.

    Sources: ISO/IEC 14496-12, 4.2 (boxes); Microsoft, "AVI RIFF File Reference"; RFC 8794, sections 4 and 5 (EBML).
    """
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        head = file.read(12)
        file.seek(0)
        if head[4:8] == b"ftyp":
            return _boxes_end(file, length) > length
        if head[:4] == b"RIFF":
            return 8 + int.from_bytes(head[4:8], "little") > length
        if int.from_bytes(head[:4], "big") == _EBML:
            return _segment_end(file) > length
        return False


def _boxes_end(file: BinaryIO, length: int) -> int:
    """Where the last of the boxes that begin within the file ends."""
    at = 0
    while at < length:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:  # the size follows the name
            size = int.from_bytes(head[8:16], "big")
        if size == 0:  # the last box, up to the end of the file
            return length
        at += max(size, 8)
    return at


def _segment_end(file: BinaryIO) -> int:
    """Where the segment of a Matroska file ends; 0 where it does not say, as in recordings of unknown length."""
    at = 0
    for wanted in (_EBML, _SEGMENT):
        file.seek(at)
        head = file.read(12)
        if int.from_bytes(head[:4], "big") != wanted or len(head) < 5:
            return 0
        octets = 9 - head[4].bit_length()  # of the size: as many as the first one has leading zeros, and one
        size = int.from_bytes(head[4 : 4 + octets], "big") & ((1 << 7 * octets) - 1)
        if size == (1 << 7 * octets) - 1:
            return 0
        at += 4 + octets + size
    return at
