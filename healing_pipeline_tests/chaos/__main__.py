"""Plays the trials and keeps what they saw: ``python -m healing_pipeline_tests.chaos``.

A trial is a file in `trials` with the function ``run(seed, quick, say)``, which breaks the thing
on purpose, in the way that its docstring says, and returns its outcomes; ``say(text)`` tells how
far it is.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from dataclasses import replace
from pathlib import Path

from healing_pipeline_tests.chaos.outcome import Outcome, kept, table, write

TRIALS = Path(__file__).parent / "trials"
GUIDE = Path(__file__).parents[2] / "docs" / "explanation" / "reliability.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
# In the order in which people read of them; another's file comes after these.
ORDER = (
    "postgresql_away",
    "spool_disk_full",
    "no_connection_left",
    "kills",
    "celery_worker_killed",
    "clocks",
    "two_installations",
    "upgrade",
    "load",
    "thirty_days",
    "fuzzing",
    "hostile_bodies",
    "openapi",
    "canaries",
)


def main() -> int:
    """Play what was asked for; 0 when every promise held."""
    names = trials()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trial", nargs="*", metavar="TRIAL", help=f"of: {', '.join(names)}; all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a short form")
    parser.add_argument("--keep", action="store_true", help="keep what a short form saw, told so")
    asked = parser.parse_args()
    unknown = [name for name in asked.trial if name not in names]
    if unknown:
        parser.error(f"no trial is called {unknown[0]}; there are: {', '.join(names)}")
    held = True
    for name in asked.trial or names:
        began = time.monotonic()
        _say(name, "begins")
        trial = importlib.import_module(f"healing_pipeline_tests.chaos.trials.{name}")
        outcomes: list[Outcome] = trial.run(
            seed=asked.seed, quick=asked.quick, say=lambda text, name=name: _say(name, text)
        )
        _say(name, f"ended after {time.monotonic() - began:.0f} s")
        print(table(outcomes), flush=True)
        for each in outcomes:
            for key, value in each.seen.items():
                print(f"  {key}: {value}")
            for broken in each.broken:
                print(f"  BROKEN: {broken}")
            held = held and each.held
        if asked.quick:
            outcomes = [replace(each, fault=f"{each.fault} (short form)") for each in outcomes]
        if asked.keep or not asked.quick:
            write(name, outcomes, asked.seed)
            _write_table()
    return 0 if held else 1


def trials() -> list[str]:
    """The names of all, those in `ORDER` first."""
    there = sorted(path.stem for path in TRIALS.glob("*.py") if path.stem != "__init__")
    return sorted(there, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def kept_table() -> str:
    """The table of all that is kept, and below it what did not hold."""
    seen = kept()
    outcomes = [each for name in trials() for each in seen.get(name, ())]
    broken = [f"- {each.fault}: {text}" for each in outcomes for text in dict.fromkeys(each.broken)]
    if not broken:
        return table(outcomes)
    return "\n".join([table(outcomes), "", "What did not hold in these runs:", "", *broken])


def _write_table() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    GUIDE.write_text(f"{before}{BEGIN}\n{kept_table()}\n{END}{after}", encoding="utf-8")


def _say(name: str, text: str) -> None:
    print(
        f"{time.strftime('%H:%M:%S', time.gmtime())}  {name}: {text}", file=sys.stderr, flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
