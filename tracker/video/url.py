"""A stream's URL whose user, password and query cannot be printed by accident."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tracker.errors import SourceError

SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "rtp", "srt"})


def looks_like_url(text: str) -> bool:
    """Whether a URL is meant, also a malformed one: what follows a stream's scheme may hold a password."""
    scheme, colon, rest = text.strip().partition(":")
    return bool(colon) and ((rest.startswith("//") and scheme.isascii()) or scheme.lower() in SCHEMES)


class StreamUrl:
    """A URL for FFmpeg.

    `str` and `repr` show scheme, host, port and path only; `name` is fit for a file name; `secret()` is the whole.

    Raises:
        SourceError: the scheme is not one of a stream, or the host is missing; the message shows no secret either.
    """

    __slots__ = ("_path", "_url", "host", "name")

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:  # its message may quote the URL
            raise SourceError(
                "the stream URL is malformed: expected scheme://[user:password@]host[:port]/path"
            ) from None
        if parts.scheme.lower() not in SCHEMES:
            raise SourceError(
                f"a stream URL must begin with one of {', '.join(sorted(SCHEMES))}, got {parts.scheme or 'none'}"
            )
        if not host and parts.scheme.lower() not in ("udp", "rtp"):  # udp://@:1234 listens on this machine
            raise SourceError(f"the stream URL must name a host, as in {parts.scheme}://host/path")
        self._url = url
        place = f"[{host}]" if host and ":" in host else host or ""
        self.host = place + (f":{port}" if port else "")
        # some cameras take user=...&password=... as a path
        path = parts.path if "=" not in parts.path and "@" not in parts.path else "/..."
        self._path = f"{parts.scheme}://{self.host}{path}"
        # no dots: what comes after one would be taken for a file's suffix
        self.name = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.host}{path}").strip("-") or parts.scheme

    @property
    def is_http(self) -> bool:
        """Whether a web server is asked, which may hold finished files too."""
        return self._url.lower().startswith(("http://", "https://"))

    def secret(self) -> str:
        """The whole URL, for the library that connects; never for a message."""
        return self._url

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"StreamUrl({self._path!r})"
