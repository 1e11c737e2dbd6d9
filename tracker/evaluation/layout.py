"""Finds which file of tracks belongs to which sequence of ground truth."""

from __future__ import annotations

import configparser
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TruthFile:
    """Ground truth of one sequence on disk."""

    name: str
    """Name of the sequence."""
    path: Path
    """The text file."""
    frames: int | None
    """Length of the sequence from its `seqinfo.ini`, None where there is none."""


def find_truth(path: Path) -> list[TruthFile]:
    """A `gt.txt`, the folder of a sequence (`gt/gt.txt` or `gt.txt` in it), or a folder of such folders.

    Raises:
        InputError: there is no ground truth at `path`.
    """
    if path.is_file():
        folder = path.parent.parent if path.parent.name == "gt" else path.parent
        name = path.stem if path.stem != "gt" else folder.absolute().name
        return [TruthFile(name, path, _sequence_length(folder))]
    if not path.is_dir():
        raise InputError(f"ground truth {path} does not exist")
    folders = [path, *sorted(p for p in path.iterdir() if p.is_dir())]
    found = []
    for folder in folders:
        for candidate in (folder / "gt" / "gt.txt", folder / "gt.txt"):
            if candidate.is_file():
                found.append(TruthFile(folder.absolute().name, candidate, _sequence_length(folder)))
                break
        if found and folder == path:  # a sequence; what else lies in its folder is not ours
            return found
    if not found:
        raise InputError(f"{path} must hold gt/gt.txt, gt.txt, or folders of sequences that do; it holds neither")
    return found


def _sequence_length(folder: Path) -> int | None:
    """`seqLength` of the folder's `seqinfo.ini`."""
    path = folder / "seqinfo.ini"
    if not path.is_file():
        return None
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return parser.getint("Sequence", "seqLength")
    except (configparser.Error, ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} must state seqLength, a whole number, under [Sequence]: {reason}") from error


def match_tracks(truth: Sequence[TruthFile], tracks: Sequence[Path]) -> list[tuple[TruthFile, Path]]:
    """Pair each file of tracks (or each .txt in a folder of them) with its sequence.

    One file and one sequence belong together whatever their names; else the file's stem, or the name of its folder,
    must be the sequence's name. Sequences without tracks are left out, with a warning in the log.

    Raises:
        InputError: a file does not exist or belongs to no sequence, or two belong to the same.
    """
    files: list[Path] = []
    for path in tracks:
        if path.is_dir():
            inside = sorted(path.glob("*.txt"))
            if not inside:
                raise InputError(f"folder of tracks {path} must hold .txt files, got none")
            files.extend(_without_refined(inside))
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"file of tracks {path} does not exist")
    if not files:
        raise InputError("at least one file of tracks must be given, got none")
    if len(files) == len(truth) == 1:
        return [(truth[0], files[0])]
    taken: dict[str, Path] = {}
    for path in files:
        name = _sequence_of(path, truth)
        if name in taken:
            raise InputError(f"sequence {name} must have one file of tracks, got {taken[name]} and {path}")
        taken[name] = path
    missing = [t.name for t in truth if t.name not in taken]
    if missing:
        _log.warning("no tracks for %d sequences, which are left out: %s", len(missing), ", ".join(missing))
    return [(t, taken[t.name]) for t in truth if t.name in taken]


def _without_refined(paths: Sequence[Path]) -> list[Path]:
    """Of one run `--refine` leaves two files, which are no two sequences."""
    there = set(paths)
    twice = [path for path in paths if path.with_stem(path.stem.removesuffix("-refined")) in there - {path}]
    if twice:
        _log.warning("left out %s: to score them, give each by itself", ", ".join(str(path) for path in twice))
    return [path for path in paths if path not in twice]


def _sequence_of(path: Path, truth: Sequence[TruthFile]) -> str:
    names = [t.name for t in truth]
    for name in (path.stem, path.absolute().parent.name):
        if name in names:
            return name
    raise InputError(f"{path} must be named after its sequence, or lie in a folder of its name: {', '.join(names)}")
