"""The warm processes of a folder, as the system lists them: to look at, and to end.

They are found by their command line, which a fork keeps: no parent has to be alive for it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from healing_pipeline.launcher.folder import usable_folder
from healing_pipeline.launcher.settings import Settings

MODULE = "healing_pipeline.launcher.zygote"


def processes_of(folder: Path) -> list[psutil.Process]:
    """Zygote, templates, prewarmed processes and runs of a folder."""
    found = []
    wanted = str(usable_folder(folder))
    for process in psutil.process_iter():
        with suppress(psutil.Error, ValueError, KeyError, TypeError):
            command = process.cmdline()
            if MODULE in command and Settings.from_json(command[-1]).folder == wanted:
                found.append(process)
    return found


def stop(folder: Path, grace_s: float = 3.0) -> int:
    """End every warm process of a folder, the runs too; how many there were.

    A launcher that is still there starts a zygote again when it has a run to launch.
    """
    ours = processes_of(folder)
    for each in ours:
        with suppress(psutil.Error):
            each.terminate()
    _, left = psutil.wait_procs(ours, grace_s)
    # Who was forked meanwhile, to report an end, is among them too.
    for each in (stubborn := {*left, *processes_of(folder)}):
        with suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(list(stubborn), 2.0)
    return len(ours)
