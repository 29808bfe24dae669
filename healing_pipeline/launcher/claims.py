"""Who runs a run: the first to create its claim, and nobody after that.

A launcher that got no answer cannot know whether its run was begun. It claims the run itself: when
that succeeds no warm process can begin it any more, and another launcher may; when it fails the run
has begun. A file that must not exist yet (`O_EXCL`) is the one thing that all of them can decide by
without a service, also when some of them are killed in the middle.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from healing_pipeline.launcher.process_identity import ProcessIdentity

ELSEWHERE = "elsewhere"

# A claim is asked about while its run may still be looked after; run monitoring is done by then.
KEPT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a run.

    Attributes
    ----------
    by : ProcessIdentity or None
        The process that runs it; None when another launcher was given it, or when the note was
        lost with the machine.
    elsewhere : bool
        Another launcher was given it.
    """

    by: ProcessIdentity | None
    elsewhere: bool


class Claims:
    """The claims of one state folder.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, run_id: str, by: ProcessIdentity | None) -> bool:
        """Claim a run for a process, or (None) for another launcher; False when somebody has it.

        Raises
        ------
        OSError
            If no claim can be written: nobody has the run then because of this call.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        note = {"by": ELSEWHERE} if by is None else {"pid": by.pid, "started": by.started}
        text = json.dumps(note).encode()
        # Written in full first: whoever sees a claim can read it.
        draft = self._folder / f".{run_id}.{os.getpid()}"
        try:
            descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            try:
                written = os.write(descriptor, text)
            finally:
                os.close(descriptor)
            if written != len(text):
                raise OSError(f"only {written} of {len(text)} bytes could be written to {draft}")
            try:
                os.link(draft, self._path(run_id))
            except FileExistsError:
                return False
            return True
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def of(self, run_id: str) -> Claim | None:
        """Who has a run; None when nobody has."""
        try:
            text = self._path(run_id).read_text(encoding="utf-8")
        except OSError:
            return None
        try:
            note = json.loads(text)
            if note.get("by") == ELSEWHERE:
                return Claim(None, elsewhere=True)
            return Claim(ProcessIdentity(note["pid"], note["started"]), elsewhere=False)
        except (ValueError, KeyError):
            # The machine went down before it was on the disk; so did the process.
            return Claim(None, elsewhere=False)

    def forget_old(self) -> None:
        """Remove claims of runs that have long ended."""
        oldest = time.time() - KEPT_S
        with suppress(OSError):
            for path in list(self._folder.iterdir()):
                with suppress(OSError):
                    if path.stat().st_mtime >= oldest:
                        continue
                    claim = self.of(path.name)
                    if claim is None or claim.by is None or not claim.by.is_alive():
                        path.unlink(missing_ok=True)

    def _path(self, run_id: str) -> Path:
        return self._folder / run_id
