"""The two numbers in a WebM file's header that say how fast it plays, changed in place.

Why: libvpx encodes "in real time" when a frame lasts at least as long as it may work on it, and FFmpeg allows one
second; OpenCV offers no way to ask for that mode. A video that is announced at one frame a second is therefore encoded
about four times as fast as the same one at 25 (11 instead of 48 ms a frame of 640x480, at the same size and within
0.4 dB), and its clock is set to the true rate meanwhile: Matroska counts time in ticks of `TimestampScale`
nanoseconds, so that one number in the header speeds the whole file up (RFC 9559, 5.1.2.9 and 11.2).
"""

from __future__ import annotations

from pathlib import Path

ENCODING_RATE_HZ = 1.0
"""The rate to announce to the encoder."""

_HEADER_BYTES = 1024  # both numbers lie within the first half
_TIMESTAMP_SCALE = bytes.fromhex("2ad7b1 83")  # element id and length: 3 bytes, nanoseconds a tick
_DEFAULT_DURATION = bytes.fromhex("23e383 84")  # 4 bytes, nanoseconds a frame
_TICKS_A_FRAME = 1000  # FFmpeg counts milliseconds, of which a frame has 1000 at one frame a second


def can_retime(rate_hz: float) -> bool:
    """Whether the numbers of this rate fit into the places that FFmpeg leaves for them."""
    return round(1e9 / rate_hz) < 1 << 32 and 100 <= round(1e9 / rate_hz / _TICKS_A_FRAME) < 1 << 24


def retime(path: Path, rate_hz: float) -> bool:
    """Let a file that was encoded at one frame a second play at `rate_hz`. May be called while it is being written.

    Returns:
        False where its header is not on the disk yet, or is not as FFmpeg writes it; the file is unchanged then.

    Raises:
        OSError: the file cannot be read or written.
    """
    with path.open("r+b") as file:
        head = file.read(_HEADER_BYTES)
        places = [head.find(mark) for mark in (_TIMESTAMP_SCALE, _DEFAULT_DURATION)]
        if min(places) < 0:
            return False
        frame_ns = 1e9 / rate_hz
        for place, value, size in zip(places, (frame_ns / _TICKS_A_FRAME, frame_ns), (3, 4), strict=True):
            file.seek(place + 4)
            file.write(round(value).to_bytes(size, "big"))
    return True
