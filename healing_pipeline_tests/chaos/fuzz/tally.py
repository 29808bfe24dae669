"""One input after the other, timed and counted; what breaks a promise is kept, and it goes on."""

from __future__ import annotations

import base64
import json
import resource
import signal
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from healing_pipeline_tests.chaos.fuzz.target import Check

LONGEST_S = 1.0
"""Of processor time for one input, whatever the machine does besides."""
GIVEN_UP_S = 10.0
SHOWN = 3
"""Inputs kept of each kind of failure."""


class TooLongError(BaseException):
    """An input that was given up; no `except Exception` of ours may hide it."""


@dataclass
class Failure:
    """One kind of failure: what was raised where, how often, and inputs that bring it about."""

    kind: str
    message: str
    count: int = 0
    inputs: list[bytes] = field(default_factory=list)


@dataclass
class Tally:
    """What became of a target's inputs.

    Attributes
    ----------
    slowest_s : float
        Processor time of the slowest.
    """

    name: str
    check: Check
    inputs: int = 0
    slowest_s: float = 0.0
    began: float = field(default_factory=time.process_time)
    failures: dict[str, Failure] = field(default_factory=dict)

    def play(self, data: bytes) -> None:
        """Give one input to the target."""
        self.inputs += 1
        taken_s = self._taken_s(data)
        if taken_s > LONGEST_S:
            # A collection of garbage, or modules that were loaded, happen once.
            taken_s = min(taken_s, self._taken_s(data))
        self.slowest_s = max(self.slowest_s, taken_s)
        if taken_s > LONGEST_S:
            self._note("slow", f"{taken_s:.1f} s", data)

    def _taken_s(self, data: bytes) -> float:
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, GIVEN_UP_S)
        try:
            self.check(data)
        except TooLongError:
            pass
        except Exception as error:
            self._note(f"{type(error).__name__} at {_place(error)}", str(error)[:200], data)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return time.process_time() - began

    def _note(self, kind: str, message: str, data: bytes) -> None:
        found = self.failures.setdefault(kind, Failure(kind, message))
        found.count += 1
        if len(found.inputs) < SHOWN:
            found.inputs.append(data)

    def document(self, engine: str) -> dict[str, Any]:
        """As JSON values."""
        seconds = time.process_time() - self.began
        return {
            "name": self.name,
            "engine": engine,
            "inputs": self.inputs,
            "cpu_s": round(seconds, 1),
            "inputs_per_s": round(self.inputs / max(seconds, 1e-9), 1),
            "slowest_s": round(self.slowest_s, 3),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "failures": [
                {
                    "kind": each.kind,
                    "message": each.message,
                    "count": each.count,
                    "inputs": [base64.b64encode(data).decode() for data in each.inputs],
                }
                for each in self.failures.values()
            ],
        }

    def write(self, path: Path, engine: str) -> None:
        """Put it where whoever began this looks for it."""
        path.write_text(json.dumps(self.document(engine)), encoding="utf-8")


def arm() -> None:
    """Have inputs that take far too long given up; also within an expression that is matched."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    signal.signal(signal.SIGPROF, give_up)


def _place(error: Exception) -> str:
    """Where it was raised: the last of our own lines, or the promise of the target."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "healing_pipeline" in each.filename] or list(frames)
    name = ours[-1].filename.partition("healing_pipeline")[2].partition("/")[2]
    return f"{name}:{ours[-1].lineno}"
