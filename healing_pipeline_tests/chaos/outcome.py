"""What a trial saw: a fault, how often it was played, and what became of readers and events."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "reliability"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table in docs/explanation/reliability.md.

    Attributes
    ----------
    fault : str
        What was broken, as a reader of the table says it.
    times : int
        How often it was played.
    requests : int or None
        Of readers while it lasted; None where the fault is no reader's to meet.
    reader_errors : int or None
        Of them, those that ended without an accepted answer though one existed.
    events_lost, events_doubled : int or None
        Facts that were to be in the database and are not, or are twice; None where there are none.
    normal_after_s : float or None
        Seconds from the fault's end until everything was as before, the longest of all times.
    seen : mapping
        Further figures by name, for the text below the table.
    broken : tuple of str
        Promises that did not hold, a sentence each; none when all is well.
    """

    fault: str
    times: int
    requests: int | None = None
    reader_errors: int | None = None
    events_lost: int | None = None
    events_doubled: int | None = None
    normal_after_s: float | None = None
    seen: Mapping[str, float | int | str] = field(default_factory=dict)
    broken: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether every promise did."""
        counted = (self.reader_errors, self.events_lost, self.events_doubled)
        return not self.broken and not any(counted)


def write(name: str, outcomes: Iterable[Outcome], seed: int, folder: Path = RESULTS) -> Path:
    """Keep what the trial `name` saw, with the machine and the moment."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    document = {
        "trial": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}",
        "seed": seed,
        "outcomes": [asdict(each) for each in outcomes],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def kept(folder: Path = RESULTS) -> dict[str, list[Outcome]]:
    """What the trials saw when they last ran, by their names."""
    return {
        path.stem: [
            Outcome(**{**each, "broken": tuple(each["broken"])})
            for each in json.loads(path.read_text(encoding="utf-8"))["outcomes"]
        ]
        for path in sorted(folder.glob("*.json"))
    }


HEAD = (
    "fault",
    "times",
    "requests",
    "reader errors",
    "events lost",
    "events doubled",
    "seconds to normal",
)


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table in Markdown; a dash where nothing is counted."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{' --- |' + ' ---: |' * (len(HEAD) - 1)}"]
    for each in outcomes:
        after = "-" if each.normal_after_s is None else f"{each.normal_after_s:.1f}"
        counts = (each.requests, each.reader_errors, each.events_lost, each.events_doubled)
        cells = ["-" if count is None else f"{count:,}" for count in counts]
        lines.append(f"| {each.fault} | {each.times:,} | {' | '.join(cells)} | {after} |")
    return "\n".join(lines)
