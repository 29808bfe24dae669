"""Real outages as a scenario: the densest stretch of a history, minutes compressed to seconds.

Relative lengths and overlaps stay as they were. Endpoints of the history stand for our sources in
the order of their names: the first five for a source each, those after them for one host of one.
Nothing here is drawn, so one history makes one scenario.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from healing_pipeline.simulator.faults import Fault, Match
from healing_pipeline.simulator.history import Outage
from healing_pipeline.simulator.hosts import SOURCES, hosts_of
from healing_pipeline.simulator.script import AFTER_LAST_FAULT_S, Scenario, Traffic

# So many outages make a stretch; with more, each would be too short to be met.
MOST_OUTAGES = 10
MOST_WEIGHT = 0.2

CALM_S = 4.0
PLAYED_S = 20.0

TRAFFIC = Traffic(readers=8, requests_per_s=40.0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a history.

    Attributes
    ----------
    outages : tuple of Outage
        By their begin, those that reach in from before it cut at it.
    """

    begins: datetime
    ends: datetime
    outages: tuple[Outage, ...]


def replay_of(outages: Sequence[Outage], path: Path) -> Scenario:
    """The scenario of a history.

    Parameters
    ----------
    outages : sequence of Outage
        At least one, by their begin.
    path : Path
        Names the scenario.
    """
    stretch = densest(outages)
    length_s = (stretch.ends - stretch.begins).total_seconds()
    speed = length_s / PLAYED_S
    targets = _targets(stretch.outages)
    faults = tuple(
        Fault(
            index=index,
            at_s=_played(each.begins, stretch, speed),
            for_s=max(0.01, round((each.ends - each.begins).total_seconds() / speed, 2)),
            match=targets[each.endpoint],
            kind=each.kind,
            latency_s=each.latency_s,
        )
        for index, each in enumerate(stretch.outages)
    )
    sources = tuple(name for name in SOURCES if name in {each.source for each in targets.values()})
    return Scenario(
        name=_name(path),
        sources=sources,
        description=(
            f"Real outages, replayed: {_count(len(faults), 'outage')} of "
            f"{_count(len(targets), 'endpoint')} from "
            f"{stretch.begins:%Y-%m-%d %H:%M} to {stretch.ends:%Y-%m-%d %H:%M} UTC; a second "
            f"stands for {_text(speed)}."
        ),
        traffic=TRAFFIC,
        duration_s=CALM_S + PLAYED_S + AFTER_LAST_FAULT_S,
        faults=faults,
        mapped=tuple(_mapped(stretch.outages, targets)),
    )


def densest(outages: Sequence[Outage]) -> Stretch:
    """The stretch of at most `MOST_OUTAGES` outages in which most of the time something fails.

    Each outage counts by its length once it is played, up to a fifth of the stretch: so a single
    long outage does not outweigh many, and many that would be too short to be met count little.
    An outage that was under way already when the stretch begins belongs to it.
    """
    runs = [
        outages[first:last]
        for first in range(len(outages))
        for last in range(first + 1, min(first + MOST_OUTAGES, len(outages)) + 1)
    ]
    best = max(runs, key=_weight)
    begins, ends = best[0].begins, _end(best)
    within = [
        Outage(each.endpoint, max(each.begins, begins), min(each.ends, ends), each.kind, each.said,
               each.latency_s)
        for each in outages
        if each.begins < ends and each.ends > begins
    ]  # fmt: skip
    return Stretch(
        begins, ends, tuple(sorted(within, key=lambda each: (each.begins, each.endpoint)))
    )


def _weight(run: Sequence[Outage]) -> float:
    length = _end(run) - run[0].begins
    return sum(min((each.ends - each.begins) / length, MOST_WEIGHT) for each in run)


def _end(run: Sequence[Outage]) -> datetime:
    return max(each.ends for each in run)


def _played(moment: datetime, stretch: Stretch, speed: float) -> float:
    return round(CALM_S + (moment - stretch.begins).total_seconds() / speed, 2)


def _targets(outages: Sequence[Outage]) -> dict[str, Match]:
    targets = {}
    for number, name in enumerate(sorted({each.endpoint for each in outages})):
        turn, place = divmod(number, len(SOURCES))
        source = SOURCES[place]
        hosts = hosts_of(source)
        targets[name] = Match(source, None if turn == 0 else hosts[(turn - 1) % len(hosts)])
    return targets


def _mapped(outages: Sequence[Outage], targets: dict[str, Match]) -> Iterator[str]:
    for name, match in targets.items():
        own = [each for each in outages if each.endpoint == name]
        said = ", ".join(dict.fromkeys(f"{each.said} as {each.kind}" for each in own))
        place = match.source if match.host is None else f"{match.source}/{match.host}"
        yield f"{name} is played by {place}: {_count(len(own), 'outage')} ({said})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _text(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.1f} seconds"


def _name(path: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_") or "history"
