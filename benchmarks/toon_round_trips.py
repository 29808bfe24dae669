"""Write and read back 10,000 generated tables of each structure, and count what was compared.

The property is the one that the tests hold with fewer cases: each comes back from TOON as it went,
with types; the strict decoder takes it; and `toons` writes it byte by byte the same, but for the
floats that it says in another way: those from 2**53 on and those below 1e-6.

    python benchmarks/toon_round_trips.py [--cases 10000] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "healing_pipeline_tests" / "unit"))

import structured_rows
from test_structures import came_back_from_toon

from healing_pipeline.reporting.structures import STRUCTURES, Structure
from healing_pipeline.reporting.tables import Table


def run(structure: Structure, cases: int, chance: int) -> dict[str, int]:
    """Cases, cells in them, and cells that `toons` wrote as well; raises at what is wrong."""
    counts = {"cases": 0, "cells": 0, "alike": 0}

    @seed(chance)
    @settings(
        max_examples=cases,
        phases=[Phase.generate, Phase.shrink],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(structured_rows.tables(structure))
    def holds(table: Table) -> None:
        counts["alike"] += came_back_from_toon(table)
        counts["cases"] += 1
        counts["cells"] += len(table.rows) * len(table.columns)

    holds()
    return counts


def main() -> None:
    """Run all eight, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"{'structure':<20}{'cases':>8}{'cells':>9}{'as toons':>10}{'CPU s':>9}")
    for structure in STRUCTURES.values():
        began = time.process_time()
        counts = run(structure, args.cases, args.seed)
        lasted = time.process_time() - began
        print(
            f"{structure.name:<20}{counts['cases']:>8}{counts['cells']:>9}{counts['alike']:>10}"
            f"{lasted:>9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
