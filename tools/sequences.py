"""Rendered clips as folders like those of MOT sequences."""

from __future__ import annotations

from pathlib import Path

from tracker.demo.painted import PaintedClip


def write_sequence(clip: PaintedClip, folder: Path, name: str) -> None:
    """`gt/gt.txt` and `seqinfo.ini` of a clip that was painted to its end."""
    info = clip.info
    (folder / "gt").mkdir(parents=True, exist_ok=True)
    clip.truth.write(folder / "gt" / "gt.txt")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={name}\nframeRate={info.rate_hz:g}\nseqLength={info.frames}\n"
        f"imWidth={info.width_px}\nimHeight={info.height_px}\n",
        encoding="ascii",
    )
