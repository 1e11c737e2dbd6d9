"""Where the tracker's time goes: every function of its core is timed by the path of calls that led to it."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import tracker.association
import tracker.motion
from tracker import Tracker

DEPTH = 3
"""How deep below `Tracker.update` calls are told apart."""
_SINGLE = (
    "tracker.tracker",
    "tracker.table",
    "tracker.identities",
    "tracker.memory",
    "tracker.lives",
    "tracker.boxes",
)


class StepClock:
    """Time by path of calls: ("update", "_look", "candidates") -> seconds, with what was called from there."""

    def __init__(self) -> None:
        self._stack: list[str] = []
        self.seconds: dict[tuple[str, ...], float] = defaultdict(float)
        self.updates = 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted while `update` is running."""
        name = function.__name__

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            stack = self._stack
            if (not stack and name != "update") or len(stack) > DEPTH:
                return function(*args, **kwargs)
            stack.append(name)
            path = tuple(stack)
            began = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[path] += time.process_time() - began
                self.updates += len(path) == 1
                stack.pop()

        return wrapper

    def table(self, least_share: float = 0.01) -> str:
        """Markdown: microseconds an update and share of it, callers before what they call."""
        total = self.seconds[("update",)]
        lines = ["| step | us an update | share |", "|---|---|---|"]
        for path in self._ordered():
            seconds = self.seconds[path]
            if seconds >= least_share * total:
                name = "&nbsp;&nbsp;" * (len(path) - 1) + f"`{path[-1]}`"
                lines.append(f"| {name} | {1e6 * seconds / self.updates:.0f} | {seconds / total:.0%} |")
        return "\n".join(lines)

    def _ordered(self) -> list[tuple[str, ...]]:
        """Paths as a tree, the costliest child first."""

        def below(path: tuple[str, ...]) -> list[tuple[str, ...]]:
            children = [p for p in self.seconds if len(p) == len(path) + 1 and p[: len(path)] == path]
            children.sort(key=lambda p: -self.seconds[p])
            return [path, *(found for child in children for found in below(child))]

        return below(("update",))


def _core() -> list[ModuleType]:
    """The modules that an update works in."""
    names = list(_SINGLE)
    for package in (tracker.association, tracker.motion):
        names += [f"{package.__name__}.{m.name}" for m in pkgutil.iter_modules(package.__path__)]
    return [importlib.import_module(name) for name in names]


@contextmanager
def step_clock() -> Iterator[StepClock]:
    """Times every function of the core, under each name that it goes by, until the block ends."""
    clock, undo = StepClock(), []
    modules = _core()
    wrapped: dict[Any, Callable[..., Any]] = {}
    for holder in [*modules, *_classes(modules)]:
        for name, value in list(vars(holder).items()):
            if not inspect.isfunction(value) or not value.__module__.startswith("tracker.") or name.startswith("__"):
                continue
            if name == "update" and holder is not Tracker:
                continue  # the root of all paths is the tracker's
            wrapped.setdefault(value, clock.timed(value))
            undo.append((holder, name, value))
            setattr(holder, name, wrapped[value])
    try:
        yield clock
    finally:
        for holder, name, value in undo:
            setattr(holder, name, value)


def _classes(modules: list[ModuleType]) -> list[type]:
    """The classes that these modules define."""
    own = [(m.__name__, value) for m in modules for value in vars(m).values() if inspect.isclass(value)]
    return [value for name, value in own if value.__module__ == name]
