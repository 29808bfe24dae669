"""Measures what the claims page says, one script after the other, and writes the page anew.

    python benchmarks/claims.py                      # everything; some twenty minutes of two cores
    python benchmarks/claims.py --quick              # short forms, said to be so; a few minutes
    python benchmarks/claims.py --only launch        # one of them; again for more
    python benchmarks/claims.py --page               # nothing is measured, the pages are written

Each measurement is a script that can be run alone. What it prints as JSON is kept in
``results/NAME.json`` with the machine and the date. What counts no time runs beside the others, at
the lowest priority, until those come that are to have the machine to themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import arithmetic
import claims_page
from kept_results import commit, keep, machine

ROOT = Path(__file__).parents[1]
LONGEST_S = 3600.0
DRILL_KEYS = (
    "scenario", "seed", "duration_s", "requests", "answers", "met_fault", "unavoidable",
    "healed_share", "reader_errors", "wrong_as_good", "lagging_as_good", "time_to_detect_s",
    "time_to_heal_s", "longest_wait_s", "upstream_calls_per_request", "false_alarms", "incidents",
    "alerts_sent", "events", "events_lost", "events_doubled", "faults_undetected",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measurement:
    """One script.

    Attributes
    ----------
    words : tuple of str
        What follows ``python``.
    quick : tuple of str
        The same for the short form.
    minutes : float
        About how long it takes on two quiet cores.
    is_beside : bool
        Whether it counts no time at all and may run beside others.
    is_alone : bool
        Whether nothing may run beside it: it counts seconds of the clock that are short.
    told : callable
        What is kept of what it prints.
    """

    name: str
    what: str
    words: tuple[str, ...]
    quick: tuple[str, ...]
    minutes: float
    is_beside: bool = False
    is_alone: bool = False
    told: Callable[[Any], Any] = lambda found: found


def drill_figures(found: Any) -> list[dict[str, Any]]:
    """A drill's figures without its examples."""
    reports = found if isinstance(found, list) else [found]
    figures = []
    for each in reports:
        kept = {key: each[key] for key in DRILL_KEYS if key in each}
        alerts = each.get("alerts", {})
        kept["alerts"] = {
            key: alerts[key]
            for key in ("people_got", "faults", "faults_with_alert", "to_be_told",
                        "missed_incidents", "for_healed_faults")
            if key in alerts
        }  # fmt: skip
        figures.append(kept)
    return figures


DRILL = ("-m", "healing_pipeline", "drill", "--json", "--seed", "12")

MEASUREMENTS = (
    Measurement(
        "inventory",
        "What there is, counted in the code",
        ("benchmarks/inventory.py",),
        ("benchmarks/inventory.py",),
        0.1,
    ),
    Measurement(
        "learning",
        "Who orders strategies best, on one trace of failures for all",
        ("benchmarks/learning.py", "--json"),
        ("benchmarks/learning.py", "--quick", "--json"),
        12,
        is_beside=True,
    ),
    Measurement(
        "tokens",
        "Tokens of the eight report tables, in TOON and in what else there is",
        ("benchmarks/tokens.py", "--json"),
        ("benchmarks/tokens.py", "--quick", "--seeds", "1", "--json"),
        1,
        is_beside=True,
    ),
    Measurement(
        "drills",
        "Every scenario of faults, readers and control loop in one process, judged on data",
        (*DRILL, "--scenario", "all"),
        (*DRILL, "--scenario", "all", "--duration", "8"),
        13,
        told=drill_figures,
    ),
    Measurement(
        "stack",
        "A drill through Dagster: daemon, sensors, and a run for each incident",
        (*DRILL, "--stack", "--scenario", "provider_outage"),
        (*DRILL, "--stack", "--scenario", "provider_outage", "--duration", "12"),
        1,
        is_alone=True,
        told=drill_figures,
    ),
    Measurement(
        "launch",
        "From an incident in the tables to the end of its heal run, by launcher",
        ("benchmarks/launch.py", "--times", "20", "--burst", "20", "--json"),
        ("benchmarks/launch.py", "--times", "5", "--burst", "5", "--json"),
        4,
        is_alone=True,
    ),
    Measurement(
        "overhead",
        "What a healthy read costs over the call itself",
        ("benchmarks/overhead.py", "--json"),
        ("benchmarks/overhead.py", "1000", "--json"),
        0.5,
    ),
    Measurement(
        "gateway",
        "The gateway's requests per CPU second, beside others",
        ("benchmarks/gateway.py", "--json"),
        ("benchmarks/gateway.py", "2", "--json"),
        1.5,
    ),
    Measurement(
        "probing",
        "What a probe costs until it is stored, and how late probes are",
        ("benchmarks/probing.py", "--alone", "--seconds", "65", "--json"),
        ("benchmarks/probing.py", "--alone", "--only", "cpu", "--json"),
        2,
        is_alone=True,
    ),
    Measurement(
        "row_sizes",
        "Bytes that PostgreSQL takes for a probe and for a read",
        ("benchmarks/row_sizes.py", "--json"),
        ("benchmarks/row_sizes.py", "--reads", "3000", "--rounds", "5", "--json"),
        0.5,
    ),
)
NAMES = tuple(each.name for each in MEASUREMENTS)


def measure(each: Measurement, *, is_quick: bool) -> str | None:
    """Run one script and keep what it found; what went wrong, or None."""
    words = each.quick if is_quick else each.words
    on, of_commit = machine(), commit()
    began, clock = datetime.now(UTC), time.monotonic()
    say(f"{each.name}: begins (python {' '.join(words)})")
    told = subprocess.run(
        [*(("nice", "-n", "19") if each.is_beside else ()), sys.executable, *words],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        env={**os.environ, "HEALING_UPSTREAMS": "simulated"},
    )
    seconds = time.monotonic() - clock
    try:
        figures = each.told(json.loads(told.stdout))
    except (ValueError, KeyError, TypeError):
        last = (told.stderr or told.stdout).strip().splitlines()[-3:]
        return f"{each.name}: exit code {told.returncode}, no figures: {' / '.join(last)}"
    # Some say by their exit code that a promise was not kept: the figures are no less true.
    keep(
        each.name,
        figures,
        what=each.what,
        command=f"python {' '.join(words)}",
        on=on,
        began=began,
        seconds=seconds,
        # A script that has no short form is never one.
        is_short_form=is_quick and each.quick != each.words,
        of_commit=of_commit,
        exit_code=told.returncode,
    )
    say(f"{each.name}: ended after {seconds:.0f} s")
    return None


def measure_all(chosen: Sequence[Measurement], *, is_quick: bool) -> list[str]:
    """Measure all of them; what went wrong."""
    wrong: list[str | None] = []
    with ThreadPoolExecutor(1) as lane:
        beside: list[Future[str | None]] = [
            lane.submit(measure, each, is_quick=is_quick) for each in chosen if each.is_beside
        ]
        # A drill's seconds are those of readers with deadlines, and what else comes here counts CPU
        # time: neither minds what runs at the lowest priority.
        wrong += [
            measure(each, is_quick=is_quick)
            for each in chosen
            if not (each.is_beside or each.is_alone)
        ]
        wrong += [each.result() for each in beside]
        wrong += [measure(each, is_quick=is_quick) for each in chosen if each.is_alone]
    return [each for each in wrong if each is not None]


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S', time.gmtime())}  {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Measure what was asked for and write the pages; 0 when all was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="short forms")
    parser.add_argument("--only", action="append", choices=NAMES, help="again for more")
    parser.add_argument("--page", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    wrong: list[str] = []
    if not asked.page:
        chosen = [each for each in MEASUREMENTS if not asked.only or each.name in asked.only]
        about = sum(each.minutes for each in chosen if not each.is_beside)
        say(f"{len(chosen)} measurements; about {about:.0f} minutes in their full form")
        wrong = measure_all(chosen, is_quick=asked.quick)
    for each in wrong:
        say(each)
    for page in (claims_page, arithmetic):
        page.write()
        say(f"wrote {page.PAGE.relative_to(ROOT)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
