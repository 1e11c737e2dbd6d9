"""The vectors of a frame and what their similarity is worth."""

from __future__ import annotations

import numpy as np

from tracker.arrays import some
from tracker.association.calibration import StreamCalibration
from tracker.errors import InputError
from tracker.types import (
    AppearanceInfo,
    BoolArray,
    Detections,
    DoubleArray,
    EmbedRows,
    FloatArray,
    IntArray,
    off_unit,
)

CROP_MEMORY_S = 0.14
"""Crops of one object nearer in time than this are not independent of each other."""
OTHER_DAY_SHARE = 0.5
"""Of the variance of a crop's vector: what differs between two visits, whatever the number of crops."""
REFUSED_AT = 3.0
"""How many times the expected distance between two means of one object is still taken for one object.

Somebody who comes in shows a part only at first: at 1.5 many returns were missed (IDF1 of rendered clips 86.0, at 3
89.2)."""
REFUSED_NEARER = 0.6
"""No mean is refused that is nearer to the other than this share of the way from the usual stranger to the same vector.

Crops of one visit may be more alike than those of two visits ever are (one direction, one light): where everybody walks
up and down before one wall, what is usual within a visit says little about the next one."""
HELD_SLACK = 1.5
"""How much more than that is taken once two are held for one, so that claims do not flicker."""
FOREIGN = -1.0
"""Evidence, in nats, below which a crop is kept aside from the mean of its track."""
ODD = 2.5
"""Standard deviations below the mean cosine of a track's own crops from which on a crop is not its own.

At 2 to 3 tracks that went over to others were found (IDF1 +1 on rendered clips); at 4 they were not."""

STANDS_FOR = 20
"""For how many crops that nobody looked at one look stands at most: those of successive frames are much alike."""


class AppearanceModel:
    """Collects the embeddings of a frame, checks them, and turns cosines into evidence.

    What a cosine is worth is learned from the stream, beginning with the embedder's own calibration.
    """

    def __init__(self, info: AppearanceInfo | None) -> None:
        self.dimension: int | None = None if info is None else info.dimension
        """D of the vectors; None until known."""
        self._stream = StreamCalibration(None if info is None else info.calibration)

    def collect(
        self, detections: Detections, wanted: IntArray, embed: EmbedRows | None
    ) -> tuple[FloatArray, BoolArray]:
        """All vectors (N, D) and which rows have one (N,), asking `embed` for the wanted rows that lack one."""
        n, has, dimension = len(detections), detections.has_embedding, self.dimension
        vectors = detections.embeddings if some(has) else None
        if vectors is not None:
            dimension = _agreed(dimension, vectors.shape[1])
        if embed is not None and len(missing := wanted[~has[wanted]]):
            fresh = _checked(embed(missing), missing)
            dimension = _agreed(dimension, fresh.shape[1])
            full = np.zeros((n, dimension), np.float32)
            if vectors is not None:
                full[has] = vectors[has]
            full[missing] = fresh
            vectors, has = full, has.copy()
            has[missing] = True
        self.dimension = dimension
        if vectors is None:
            return np.zeros((n, dimension or 0), np.float32), np.zeros(n, bool)
        return vectors, has

    def evidence(self, similarity: DoubleArray, gap_s: DoubleArray | float) -> DoubleArray:
        """Log-likelihood ratios of cosines, any shape, with tracks not seen for `gap_s`."""
        return self._stream.log_likelihood_ratio(similarity, gap_s)

    @property
    def greatest_evidence(self) -> float:
        """Nats that two equal vectors are of one object; 0 where the embedder is not believed to tell objects apart."""
        return self._stream.greatest

    def doubt(self, similarity: DoubleArray) -> DoubleArray:
        """Evidence (n,) in nats that crops are of the tracks they were matched with; below `FOREIGN` they are not.

        Strangers may look like anything, so that a crop which is half-way alike is not yet evidence for one of them. A
        track's own crops vary little, though: one far below what is usual among them (ODD standard deviations) speaks
        against the track whatever strangers look like.
        """
        odd = (self._stream.same_mean - similarity) / self._stream.same_std
        against = np.where(odd > ODD, FOREIGN - (odd - ODD), np.inf)
        return np.minimum(self._stream.log_likelihood_ratio(similarity), against)

    @property
    def foreign_below(self) -> float:
        """Cosine below which a crop speaks against the track it was matched with: where `doubt` is below `FOREIGN`."""
        stream = self._stream
        return max(stream.same_mean - ODD * stream.same_std, stream.cosine_of(FOREIGN))

    def least_likeness(self, vectors: DoubleArray, age_s: DoubleArray, lenient: BoolArray | None) -> DoubleArray:
        """Cosines that mean vectors of one object have at least: (n, K) or (n, 1).

        A crop's vector is its object's plus noise, so that crop and object have cosine q = (1 + v)^-1/2 with v the
        noise's variance; q is known from the stream. The mean of n independent crops has v / n left, and another day
        (light, view) adds a share of v that no averaging takes away. Two means of one object are thus expected at
        e = (1 + v (1 / n + share))^-1/2, and refused where 1 - cosine is several times 1 - e. What is far nearer than
        strangers are is not refused, though it may be a look-alike.

        Args:
            vectors: (n,) how many crops made the new means.
            age_s: (n,) over how many seconds.
            lenient: (n, K) pairs that are refused later than others; None: there are none, and K is 1.
        """
        q = min(max(self._stream.same_mean, 0.5), 0.999)
        variance = 1 / q**2 - 1
        independent = np.minimum(1 + age_s / CROP_MEMORY_S, np.maximum(vectors, 1))  # (n,)
        expected = (1 + variance * (1 / independent + OTHER_DAY_SHARE)) ** -0.5
        nearer = (1 - REFUSED_NEARER) * (1 - self._stream.different_mean)
        most = np.maximum(REFUSED_AT * (1 - expected), nearer)[:, None]  # (n, 1) of 1 - cosine
        return np.asarray(1 - (most if lenient is None else np.where(lenient, HELD_SLACK, 1) * most), np.float64)

    def observe_same(self, similarity: DoubleArray, unlooked: DoubleArray) -> None:
        """Learn from cosines of sure matches (n,), each of which stands for so many more that nobody looked at (n,).

        Looks are chosen where identity is in doubt, and would show more variation than there is. What one that speaks
        against its track stands for is not known: the object may have changed at any time since the last look.
        """
        weights = None
        if some(unlooked):
            weights = 1 + np.where(similarity < self.foreign_below, 0, np.minimum(unlooked, STANDS_FOR))
        self._stream.observe_same(similarity, weights)

    def observe_different(self, similarity: DoubleArray) -> None:
        """Learn from cosines of crops with the means of others (n,)."""
        self._stream.observe_different(similarity)


def _agreed(expected: int | None, dimension: int) -> int:
    """The dimension of all vectors; `expected` is that of those before, None where there were none."""
    if expected not in (None, dimension):
        raise InputError(
            f"embeddings must have {expected} dimensions like the embedder's, got {dimension}: "
            "vectors of two models must not be compared; reset() the tracker to change the model"
        )
    return dimension


def _checked(fresh: FloatArray, rows: IntArray) -> FloatArray:
    """What `embed` returned for some rows (n,)."""
    try:
        array = np.asarray(fresh, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"embed(rows) must return one array of numbers: {error}") from error
    if array.ndim != 2 or len(array) != len(rows):
        raise InputError(f"embed(rows) must return ({len(rows)}, D) for {len(rows)} rows, got {array.shape}")
    norm, bad = off_unit(array)
    if bad.any():
        row = int(rows[np.flatnonzero(bad)[0]])
        raise InputError(f"embed(rows) must return vectors of unit length, row {row} has {norm[bad][0]:.3g}")
    return array
