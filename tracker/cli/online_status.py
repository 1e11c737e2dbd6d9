"""`reidtrack online status`: how an online folder stands."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import FolderSettings, open_folder

_SUMMARY = "Say which embedder is live, what is harvested, whether it learns, and what happened last."
_EXAMPLES = "  reidtrack online status site"


def run(argv: Sequence[str], context: Context) -> int:
    """Print the state of a folder."""
    settings = parse_arguments(FolderSettings, argv, command="online status", summary=_SUMMARY, examples=_EXAMPLES)
    folder = open_folder(settings.folder)
    from reid.locking import is_locked
    from reid.online import harvest_totals
    from reid.online.burst_store import burst_totals
    from reid.online.locks import holder_of
    from reid.online.registry import ModelRegistry

    registry = ModelRegistry(folder)
    live = registry.current()
    since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(live.since_unix_s))
    context.result(f"live: model {live.number} ({live.sha256[:12]}), since {since} UTC; begun with {folder.base.name}")
    for bad in registry.quarantined:
        context.result(f"rolled back: model {bad.number}: {bad.reason}")
    totals = harvest_totals(folder)
    for camera in sorted({total.camera for total in totals}):
        sizes = [total.size for total in totals if total.camera == camera]
        context.result(
            f"harvest of {camera}: {sum(s.crops for s in sizes)} crops of {sum(s.tracklets for s in sizes)} tracklets "
            f"in {len(sizes)} hours, {sum(s.disk_bytes for s in sizes) / 1e6:.1f} MB"
        )
    if not totals:
        context.result("nothing is harvested yet")
    for kept in burst_totals(folder):
        context.result(f"detections of {kept.camera}: {kept.bursts} bursts, {kept.disk_bytes / 1e6:.1f} MB")
    for kind in ("tracker", "worker"):
        lock = folder.path / f"lock.{kind}"
        if lock.exists() and is_locked(lock):
            context.result(f"{kind} at work: {holder_of(lock)}")
    state = folder.state()
    context.result(f"rounds of learning: {state.get('rounds', 0)}{'; paused' if state.get('paused') else ''}")
    events = folder.history.read()
    if events:
        from tracker.cli.online_history import said

        context.result(f"last: {said(events[-1])}")
    return 0
