"""What is tracked: sequences, variants of them, and the seeded perturbation that every tracker meets alike.

Two lists, fixed before any tuning: settings may be chosen on `TUNED_ON` alone; `HELD_OUT` and TUD-Stadtmitte are for
reporting only.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from clips import CARD
from numpy.typing import NDArray
from simulation import EMBEDDERS, Simulated, public_detections, read_sequence_info, simulate

from reid import Card, EmbedderInfo
from tracker.evaluation import MotTruth, read_mot_truth
from tracker.types import AppearanceInfo

TUNED_ON = {"MOT15": ("ADL-Rundle-6", "ETH-Bahnhof", "Venice-2"), "MOT17": ("02", "05", "09", "11")}
HELD_OUT = {"MOT15": ("ETH-Pedcross2", "ETH-Sunnyday", "KITTI-13"), "MOT17": ("04", "10", "13")}
DROPPED = 0.03
"""Share of the detections that each seed drops."""
RANDOM_DIMENSION = 128
_ANY_EMBEDDER = "medium"  # detections do not depend on it: where there is no appearance, any will do


@dataclass(frozen=True)
class Input:
    """One thing to track, before it is perturbed by a seed. Small: workers load what it names."""

    suite: str
    """Which table it belongs to."""
    sequence: str
    """Name of the sequence."""
    folder: Path
    """Where `gt/gt.txt`, and with it `seqinfo.ini` and `det/det.txt`, lie."""
    embedder: str = ""
    """A key of `EMBEDDERS` for simulated appearance, "cached" for the vectors of `cache`, "default" for the same where
    they are the default embedder's, whose card is known, "random" for noise in their place; empty: motion only."""
    cache: Path | None = None
    """Cached detections and embeddings."""
    every: int = 1
    """Only every Nth frame."""
    rate: str = ""
    """At which it was rendered, for tables."""

    @property
    def name(self) -> str:
        """For tables."""
        thinned = f"every {self.every}" if self.every > 1 else ""
        return ", ".join(part for part in (self.sequence, self.embedder, self.rate, thinned) if part)

    @property
    def simulated(self) -> bool:
        """Whether detector and embedder are those of `tools/simulation.py`."""
        return self.cache is None and not (self.folder / "det" / "det.txt").is_file()

    def digest(self) -> str:
        """Changes when the input of any seed may have changed."""
        files = [self.folder / "gt" / "gt.txt", self.folder / "seqinfo.ini", self.folder / "det" / "det.txt"]
        files += [
            self.folder / CARD,
            Path(__file__),
            Path(__file__).parents[1] / "simulation.py",
            *([self.cache] if self.cache else []),
        ]
        content = b"".join(path.read_bytes() for path in files if path.is_file())
        return hashlib.sha256(content).hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class Loaded:
    """An input as trackers see it, and its truth."""

    truth: MotTruth
    seen: Simulated
    embedder: AppearanceInfo | None = None
    """What is known of the embedder, where it has a card."""


@functools.lru_cache(maxsize=2)
def load(what: Input, seed: int | None) -> Loaded:
    """The input of one seed; None: nothing dropped. Simulated ones are another simulation each."""
    truth = read_mot_truth(what.folder / "gt" / "gt.txt")
    if what.cache is not None:
        seen = _cached(what.cache, what.folder)
    elif what.simulated:
        model = EMBEDDERS.get(what.embedder, EMBEDDERS[_ANY_EMBEDDER])
        seen = simulate(what.folder, seed or 0, embedder=model)
    else:
        seen = public_detections(what.folder)
    seen = replace(seen, embeddings=_vectors(what.embedder, seen, seed or 0))
    if seed is not None:
        seen = _select(seen, np.random.default_rng(seed).random(len(seen.frame)) >= DROPPED)
    return _thin_out(Loaded(truth, seen, _embedder(what)), what.every)


def _embedder(what: Input) -> AppearanceInfo | None:
    """What the card that lies beside the vectors says of the embedder."""
    if what.cache is None or not (what.folder / CARD).is_file():
        return None
    card = Card.from_json((what.folder / CARD).read_text(encoding="utf-8"))
    return EmbedderInfo(card.name, card.dimension, str(np.load(what.cache)["model_hash"]), card.calibration)


def _cached(path: Path, folder: Path) -> Simulated:
    """Real detections and embeddings."""
    cache = np.load(path)
    rate_hz, _, size = read_sequence_info(folder)
    vectors = cache["emb"].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    detections = cache["dets"].astype(np.float32)
    return Simulated(folder.name, rate_hz, int(cache["frames"]), cache["frame"], detections, vectors, size)


def _vectors(embedder: str, seen: Simulated, seed: int) -> NDArray[np.float32]:
    if embedder == "random":
        vectors = np.random.default_rng((seed, 1)).normal(size=(len(seen.frame), RANDOM_DIMENSION))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return seen.embeddings if embedder else seen.embeddings[:, :0]


def _select(seen: Simulated, keep: NDArray[np.bool_]) -> Simulated:
    return replace(seen, frame=seen.frame[keep], detections=seen.detections[keep], embeddings=seen.embeddings[keep])


def _thin_out(loaded: Loaded, every: int) -> Loaded:
    """Frames 1, 1 + every, ... numbered anew, in input and truth."""
    if every == 1:
        return loaded
    truth, seen = loaded.truth, _select(loaded.seen, (loaded.seen.frame - 1) % every == 0)
    kept = (truth.frame - 1) % every == 0
    truth = replace(
        truth,
        frame=(truth.frame[kept] - 1) // every + 1,
        id=truth.id[kept],
        boxes=truth.boxes[kept],
        considered=truth.considered[kept],
        classes=truth.classes[kept],
    )
    frames, rate = (seen.frames - 1) // every + 1, seen.rate_hz / every
    seen = replace(seen, frame=(seen.frame - 1) // every + 1, frames=frames, rate_hz=rate)
    return replace(loaded, truth=truth, seen=seen)


def clip_inputs(folders: Sequence[Path]) -> list[Input]:
    """Rendered clips (`tools/clips.py`): at 25 Hz for a suite of their own, at other rates to see what these change."""
    found = []
    for folder in folders:
        rate_hz, _, _ = read_sequence_info(folder)
        sequence, rate = folder.name.rsplit("-", 1)[0], f"{rate_hz:g} Hz"
        suite = "clips" if rate_hz == CLIP_RATE_HZ else "clip rates"
        found.append(Input(suite, sequence, folder, "default", folder / "seen.npz", rate=rate))
    return found


def all_inputs(data: Path, held_out: bool) -> list[Input]:
    """Every input of every suite under a data folder; sequences that are not there are left out."""
    names = HELD_OUT if held_out else TUNED_ON
    first = [data / "gt_text" / "MOT15" / name for name in names["MOT15"]]
    second = [data / "gt_text" / "MOT17" / f"MOT17-{name}" for name in names["MOT17"]]
    real, cache = data / "seq" / "TUD-Stadtmitte", data / "cache" / "TUD-Stadtmitte.npz"
    tud = functools.partial(Input, sequence=real.name, folder=real, cache=cache)
    found = [tud("cached", embedder="cached")]
    found += [tud("frame rate", embedder="cached", every=every) for every in (1, 2, 4)]
    found += [Input("motion only", folder.name, folder) for folder in (*first, *second)]
    found += [Input("with appearance", folder.name, folder, kind) for folder in second for kind in EMBEDDERS]
    for embedder in ("", "random"):
        found += [Input("random vectors", folder.name, folder, embedder) for folder in (*first, *second)]
        found.append(tud("random vectors", embedder=embedder))
    return [i for i in found if (i.folder / "gt" / "gt.txt").is_file() and (i.cache is None or i.cache.is_file())]


CLIP_RATE_HZ, CLIP_RATES_HZ = 25.0, (30.0, 10.0, 5.0)
"""Of rendered clips: the suite `clips`, and `clip rates`, which is measured from the first of them."""
SUITES = ("cached", "frame rate", "clips", "clip rates", "motion only", "with appearance", "random vectors")
