"""Whether what a web server gives has an end, where the video itself does not say."""

from __future__ import annotations

import base64
import http.client
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from tracker.video.url import StreamUrl

_PLAYLISTS = (b"#EXTM3U", b"<?xml", b"<MPD", b"v=0")  # HLS, DASH, SDP: they have a length, what they name may have none
_BEGINNING_BYTES = 16
_MOST_S = 2.0  # a camera may serve one client only, and nobody else an answer


def has_length(url: StreamUrl, timeout_s: float) -> bool:
    """Whether a file of stated length is there, as opposed to pictures that are made while we look.

    False also where the server cannot be asked, such as one that wants another kind of password than a basic one. The
    password goes to this server only: where it redirects to, none is given.

    Args:
        url: of a web server (`url.is_http`).
        timeout_s: how long it may take to answer.
    """
    parts = urlsplit(url.secret())
    account, _, place = parts.netloc.rpartition("@")
    public = urlunsplit(parts._replace(netloc=place))
    asked = {"Range": f"bytes=0-{_BEGINNING_BYTES - 1}"}
    request = urllib.request.Request(public, headers=asked)  # noqa: S310 - the scheme is known, see Args
    if account:  # which is this server's alone, not of whoever it redirects to
        basic = base64.b64encode(unquote(account).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    try:
        with urllib.request.urlopen(request, timeout=min(timeout_s, _MOST_S)) as answer:  # noqa: S310 - likewise
            return _length(answer.headers) > 0 and not answer.read(_BEGINNING_BYTES).startswith(_PLAYLISTS)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _length(headers: Any) -> int:
    """Bytes of the whole file, 0 where the answer does not say: `Content-Range: bytes 0-15/4711`, or the length."""
    if str(headers.get_content_type()).startswith("multipart/"):
        return 0
    stated = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() else 0
