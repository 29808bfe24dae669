"""What a killed `healing up` left running: noted as it is started, ended by the next one.

Its parts go on without it, so that readers are served; only nobody starts them again.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from healing_pipeline.launcher.process_identity import ProcessIdentity

ASKED_S, MADE_S = 2.0, 4.0


def note(path: Path, leaders: Iterable[ProcessIdentity]) -> None:
    """Write down which processes lead the groups of a stack; whole, or as it was before."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps([[each.pid, each.started] for each in leaders]), encoding="utf-8")
    draft.replace(path)


def noted(path: Path) -> list[ProcessIdentity]:
    """Those of them that still run; none where nothing was noted."""
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))
        known = [ProcessIdentity(int(pid), str(started)) for pid, started in pairs]
    except (OSError, ValueError, TypeError):
        return []
    return [each for each in known if each.is_alive()]


def end_leftovers(path: Path) -> int:
    """End what an earlier stack left, with what it started; how many parts there were."""
    left = found = noted(path)
    for number, wait_s in (
        (signal.SIGINT, ASKED_S),
        (signal.SIGTERM, MADE_S),
        (signal.SIGKILL, MADE_S),
    ):
        _signal(left, number)
        until = time.monotonic() + wait_s
        while left and time.monotonic() < until:
            time.sleep(0.05)
            left = [each for each in left if each.is_alive()]
    # A leader may have gone before what it started.
    _signal(found, signal.SIGKILL)
    path.unlink(missing_ok=True)
    return len(found)


def _signal(leaders: Sequence[ProcessIdentity], number: signal.Signals) -> None:
    for each in leaders:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(each.pid, number)
