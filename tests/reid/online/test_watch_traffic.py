"""Other traffic is not taken for a bad model, and a bad model is found whatever traffic does: a simulated street."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from reid.online.watch import Verdict, Watch, WatchConfig

STEP_S = 2.0
LOOK_STEPS = 3
"""Steps from one look at margins to the next."""
CONFIG = WatchConfig(before_s=1200, after_s=1200, block_s=20)


@dataclass(frozen=True)
class Street:
    """What a camera sees of a street, and what a tracker makes of it."""

    people: float = 6.0
    """At once."""
    stay_s: float = 60.0
    """How long each is there."""
    lost: float = 30.0
    """How often a track breaks, an hour and object, among 6 people: in proportion to how many there are."""
    known: float = 0.7
    """The share of those who are found again."""
    doors: float = 0.1
    """The share of newcomers who seem to be somebody who was lost."""
    blur: float = 0.0
    """How much lower all margins are."""


ALIKE = 0.1
"""The share of pairs of people whom nothing tells from each other."""


def conduct(rng: np.random.Generator, street: Street, seconds: float) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """People present, births, breaks and margins of each step."""
    come = rng.uniform(0, seconds, rng.poisson(street.people / street.stay_s * seconds))
    come = np.concatenate((np.zeros(rng.poisson(street.people)), come))
    go, look = come + rng.exponential(street.stay_s, len(come)), rng.uniform(size=len(come))
    for step in range(round(seconds / STEP_S)):
        now = step * STEP_S
        here = np.flatnonzero((come <= now) & (go > now))
        n, others = len(here), max(len(here) - 1, 1)
        entered = rng.binomial(int(((come > now - STEP_S) & (come <= now) & (come > 0)).sum()), street.doors)
        lost = rng.poisson(street.lost / 3600 * n * n / 6 * STEP_S)
        margins = np.zeros(0)
        if n > 1 and step % LOOK_STEPS == 0:
            apart = np.abs(look[here][:, None] - look[here])
            alike = (np.minimum(apart, 1 - apart) < ALIKE / 2).sum(axis=1) - 1  # of each, on a circle of looks
            new = 0.05 * (now - come[here] < 5)  # of whom there are few crops to compare with
            margins = np.clip(1 - rng.binomial(alike, 0.5) / others - new - street.blur, 0, 1)
        yield n, entered + rng.binomial(lost, 1 - street.known), entered + lost, margins


def watched(seed: int, before: Street, after: Street, config: WatchConfig = CONFIG) -> Verdict:
    """The verdict on a swap at which one becomes the other."""
    rng, watch, now = np.random.default_rng(seed), Watch(config), 0.0
    for street, seconds in ((before, 1.1 * config.before_s), (after, 1.6 * config.after_s)):
        if street is after:
            watch.swapped()
        for objects, births, breaks, margins in conduct(rng, street, seconds):
            now += STEP_S
            watch.update(now, objects=objects, births=births, breaks=breaks, margins=margins)
            if watch.verdict.phase in ("worse", "kept"):
                return watch.verdict
    return watch.verdict


USUAL = Street()
CHANGES = {
    "nothing changes": (USUAL, replace(USUAL)),
    "people hurry": (replace(USUAL, stay_s=120), replace(USUAL, stay_s=20)),
    "a shift begins": (USUAL, replace(USUAL, stay_s=30, doors=0.3)),
    "a crowd comes": (replace(USUAL, people=3), replace(USUAL, people=15)),
    "rush hour": (USUAL, replace(USUAL, people=20, stay_s=15)),
    "the crowd goes": (replace(USUAL, people=15), replace(USUAL, people=3)),
    "night falls": (replace(USUAL, people=12), replace(USUAL, people=2.5, stay_s=20, blur=0.01)),
    "the light is worse, and nothing else": (USUAL, replace(USUAL, blur=0.05)),
    "night falls, and nothing else": (USUAL, replace(USUAL, blur=0.15)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_traffic_is_no_bad_model(change: str) -> None:
    verdicts = [watched(seed, *CHANGES[change]) for seed in range(30)]
    assert sum(verdict.phase == "worse" for verdict in verdicts) == 0
    assert sum(verdict.phase == "kept" for verdict in verdicts) >= 25  # the others were watched for too short a time


@pytest.mark.parametrize("blur", [0.1, 0.15])
def test_margins_that_fall_alone_are_told_and_roll_nothing_back(blur: float) -> None:
    verdicts = [watched(seed, USUAL, replace(USUAL, blur=blur)) for seed in range(12)]
    kept = [verdict for verdict in verdicts if verdict.phase == "kept"]
    assert len(kept) >= 10
    assert sum("the light, or the embedder" in verdict.doubt for verdict in kept) >= 10


BAD = {
    "tells people less well, and loses them": replace(USUAL, lost=60, known=0.4, blur=0.15),
    "the same in a crowd": replace(USUAL, people=15, lost=60, known=0.4, blur=0.15),
    "the same where people stay for longer": replace(USUAL, stay_s=180, lost=60, known=0.4, blur=0.15),
    "tells nobody from another, and loses nobody": replace(USUAL, blur=0.4),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_model_is_found_whatever_the_traffic_does(bad: str) -> None:
    verdicts = [watched(seed, USUAL, BAD[bad], WatchConfig()) for seed in range(12)]
    found = [verdict.watched_s for verdict in verdicts if verdict.phase == "worse"]
    assert len(found) >= 10
    assert np.median(found) <= 10 * 60
    assert all("own above others" in verdict.reason for verdict in verdicts if verdict.phase == "worse")
