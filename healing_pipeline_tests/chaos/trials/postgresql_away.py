"""PostgreSQL killed with -9 in the middle of a drill, away for 20 s, and started again.

Postmaster and every backend are killed with SIGKILL at a random moment while upstreams fail, with
facts on their way: a batch in the middle of its transaction, and what was recorded in the fifth of
a second before. Nobody starts the server again for 20 s. Meanwhile readers go on in process and
through a real gateway; the sources are looked at, incidents healed and alerts looked after as far
as that goes without a database.

Each time is played twice by the same seed, with the kill and without: what a reader waited is held
against what the same reader waited without it. What the engine told is held against the tables, and
so is every answer that a reader over HTTP has got, by its request id.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from healing_pipeline_tests.chaos.outage_account import (
    answers_lost,
    calls,
    doubled,
    errors,
    p99,
    unsound,
    waits,
)
from healing_pipeline_tests.chaos.outage_world import Breaking, Played, Times, outage_drill
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.own_server import OwnServer

TIMES = 2
FULL, QUICK = Times(62.0, 14.0, 20.0), Times(18.0, 5.0, 5.0)
# Two runs of one seed differ by this much where nothing is broken: the machine's own unrest, and
# the moment at which a heal run leaves its route.
UNREST_S = 0.3
POOLS_SHRINK_WITHIN_S = 120.0
# A reader's deadline, and what handing an answer over takes on a busy machine.
LONGEST_S = 3.3


@contextmanager
def killed(server: OwnServer) -> Iterator[str]:
    """PostgreSQL, for the length of the block."""
    yield f"{server.kill()} processes of PostgreSQL killed"
    server.start_again()


def run(seed: int, quick: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Play it `TIMES` times, each at a moment of its own."""
    return [
        played_often(
            "PostgreSQL killed with -9, away for 20 s",
            killed,
            seed,
            quick,
            say,
        )
    ]


def played_often(
    fault: str,
    breaking: Breaking,
    seed: int,
    quick: bool,
    say: Callable[[str], None],
    most_connections: int | None = None,
    length: Times = FULL,
) -> Outcome:
    """Play an outage some times, with and without, and add up."""
    rng = Random(f"{fault}:{seed}")
    add: Counter[str] = Counter()
    longest = {"normal": 0.0, "added_wait_p99": 0.0, "wait": 0.0}
    seen: dict[str, float | int | str] = {}
    broken: list[str] = []
    rounds = 1 if quick else TIMES
    # The pools say each second that they try again; what matters is counted.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    for number in range(rounds):
        base = QUICK if quick else length
        times = Times(base.duration_s, base.breaks_at_s + rng.uniform(-2.0, 2.0), base.away_s)
        own_seed = seed * 100 + number
        say(f"{number + 1} of {rounds}: seed {own_seed}, without")
        with outage_drill(times, own_seed, None, say, most_connections) as calm:
            before = waits(calm, times)
            add["calls_off_calm"] += abs(calls(calm)[0] - calls(calm)[1])
            broken += [f"without a fault: {each}" for each in _judged(calm)]
        say(f"{number + 1} of {rounds}: seed {own_seed}, with")
        with outage_drill(times, own_seed, breaking, say, most_connections) as played:
            after = waits(played, times)
            twice = doubled(played)
            served, on_record = calls(played)
            add.update(
                requests=len(played.reads) + len(played.got),
                errors=played.report["reader_errors"] + errors(played).total(),
                wrong=played.report["wrong_as_good"],
                events=sum(played.told.values()),
                lost=played.report["events_lost"] + answers_lost(played),
                doubled=played.report["events_doubled"] + sum(twice.values()),
                dropped=played.recorder["dropped"] + played.gateway["facts"]["dropped"],
                calls_off=abs(served - on_record),
                incidents=played.report["incident_members"],
                in_vain=sum(played.lost_ticks.values()),
            )
            broken += _judged(played)
            broken += [f"a reader over HTTP got {text}" for text in errors(played)]
            broken += [f"under a better label: {each}" for each in played.report["wrong_examples"]]
            if most_connections is not None and number == rounds - 1:
                left = _left_open(played)
                seen["connections a while later"] = left
                if left > sum(played.connections[0].values()):
                    broken.append(f"{left} connections stay open: {played.connections}")
            before_and_after = [sum(each.values()) for each in played.connections]
            seen["connections before and after"] = " and ".join(map(str, before_and_after))
        added = p99(list(after.values())) - p99(list(before.values()))
        by_reader = p99([wait - before[at] for at, wait in after.items() if at in before])
        longest["normal"] = max(longest["normal"], played.normal_after_s)
        longest["added_wait_p99"] = max(longest["added_wait_p99"], added)
        longest["wait"] = max(longest["wait"], *after.values())
        say(
            f"added wait p99 {added:.3f} s, by reader {by_reader:.3f} s, longest "
            f"{max(after.values()):.2f} s; normal after {played.normal_after_s:.1f} s "
            f"{played.detail}; {dict(add)}"
        )
        seen |= {f"seconds until {name}": each for name, each in played.detail.items()}
    if longest["added_wait_p99"] > UNREST_S:
        broken.append(f"readers waited {longest['added_wait_p99']:.2f} s longer (p99)")
    if longest["wait"] > LONGEST_S:
        broken.append(f"a reader waited {longest['wait']:.2f} s")
    if add["wrong"]:
        broken.append(f"{add['wrong']} answers under a better label than theirs")
    if add["dropped"]:
        broken.append(f"{add['dropped']} facts were dropped")
    return Outcome(
        fault=fault,
        times=rounds,
        requests=add["requests"],
        reader_errors=add["errors"],
        events_lost=add["lost"],
        events_doubled=add["doubled"],
        normal_after_s=longest["normal"],
        seen={
            "events": add["events"],
            "incidents": add["incidents"],
            "wrong as good": add["wrong"],
            "added wait, p99, the longest of all times, s": round(longest["added_wait_p99"], 3),
            "longest wait of a reader, s": round(longest["wait"], 3),
            "looks, heals and refreshes that were in vain": add["in_vain"],
            "upstream calls served but not on record, or the other way round": add["calls_off"],
            "the same without the fault": add["calls_off_calm"],
            **seen,
        },
        broken=tuple(broken),
    )


def _left_open(played: Played) -> int:
    """Connections when all pools have let go of what they do not need, or after two minutes."""
    until = time.monotonic() + POOLS_SHRINK_WITHIN_S
    while True:
        left = sum(played.server.connections().values())
        if left <= sum(played.connections[0].values()) or time.monotonic() > until:
            return left
        time.sleep(1.0)


def _judged(played: Played) -> list[str]:
    """Promises that did not hold, whatever was broken."""
    return [*played.broken, *unsound(played.server)]
