"""`reidtrack reid search`: the pictures of a folder, ranked by likeness to one."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.checks import open_model, require_folder_of, require_path
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.reid_progress import WorkProgress
from tracker.cli.schema import argument, flag_only

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reid.evaluation.search import Match, SearchResult

_SUMMARY = """\
Rank the pictures of a folder (and of the folders in it) by likeness to one picture. Each picture is filled by its
object. Prints rank, cosine, probability (where the model's card has a calibration; both answers being equally likely
before looking) and file."""
_EXAMPLES = """\
  reidtrack reid search door.png pictures/
  reidtrack reid search door.png runs/street/crops --top 20 --out found.png
  reidtrack reid search door.png pictures/ --json - | jq -r '.found[0].path'"""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Settings of `reidtrack reid search`."""

    query: Path = field(metadata=argument("QUERY"))
    """The picture to look for; left out of the gallery where it lies there."""
    gallery: Path = field(metadata=argument("GALLERY_DIR"))
    """A folder of pictures."""
    top: int = 10
    """How many to show."""
    out: Path | None = field(default=None, metadata=flag_only("PNG"))
    """Draw the query and what was found."""
    json: Path | None = field(default=None, metadata=flag_only("FILE"))
    """Also write the list as JSON; - for the standard output, in place of the text."""
    model: str = field(default="default", metadata=flag_only("FILE"))
    """The embedder: `default` (shipped) or an .onnx file."""
    device: str = "auto"
    """Where the embedder runs: auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N."""

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ValueError(f"top must be 1 or more, got {self.top}")


def run(argv: Sequence[str], context: Context) -> int:
    """Embed, rank, show; 0."""
    settings = parse_arguments(SearchSettings, argv, command="reid search", summary=_SUMMARY, examples=_EXAMPLES)
    require_path("QUERY", settings.query)
    if not settings.gallery.is_dir():
        raise UsageError(f"GALLERY_DIR: there is no folder {settings.gallery}")
    if settings.out is not None and settings.out.suffix.lower() != ".png":
        raise UsageError(f"--out must be a .png file, got {settings.out}")
    require_folder_of("--json", settings.json)
    require_folder_of("--out", settings.out)
    embedder = open_model("--model", settings.model, settings.device)

    from reid.evaluation.search import gallery_pictures, read_picture, search

    query = read_picture(settings.query)
    gallery = gallery_pictures(settings.gallery, without=settings.query)
    with WorkProgress(context, "pictures") as progress:
        step = functools.partial(progress, "embedding")
        found = search(embedder, query, gallery, top=settings.top, progress=step)
    _show(found, settings, embedder.info.name, context)
    if settings.out is not None:
        _draw(query, found.matches, settings)
    return 0


def _show(found: SearchResult, settings: SearchSettings, model: str, context: Context) -> None:
    if settings.json is not None:
        entries = [{"path": str(m.path), "cosine": m.cosine, "probability": m.probability} for m in found.matches]
        values = {
            "query": str(settings.query),
            "model": model,
            "searched": found.searched,
            "caution": found.caution,
            "found": entries,
        }
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        if str(settings.json) == "-":
            sys.stdout.write(text)
            return
        settings.json.write_text(text, encoding="utf-8")
    for rank, match in enumerate(found.matches, start=1):
        chance = "" if match.probability is None else f"{match.probability:7.3f}"
        context.result(f"{rank:>4}  {match.cosine:7.4f}{chance}  {match.path}")
    if found.caution is not None:
        context.say(f"reidtrack: caution: {found.caution}")


def _draw(query: NDArray[np.uint8], matches: Sequence[Match], settings: SearchSettings) -> None:
    from reid.evaluation.picture import Found, Ranking, draw_rankings, write_picture
    from reid.evaluation.search import read_picture

    assert settings.out is not None
    entries = tuple(
        Found(read_picture(match.path), f"{match.cosine:.3f}\n{match.path.relative_to(settings.gallery)}")
        for match in matches
    )
    ranking = Ranking(query, settings.query.name, "query", entries)
    write_picture(draw_rankings([ranking], f"nearest to {settings.query} in {settings.gallery}"), settings.out)
