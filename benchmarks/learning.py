"""What learning is worth: healing within 3 s, by who orders the strategies, on one trace for all.

    python benchmarks/learning.py                     # everything, about a quarter of an hour
    python benchmarks/learning.py --quick             # eight weeks and one seed, three minutes
    python benchmarks/learning.py --set deviation=1.5 --set outage_every_days=5 --seed 9 --json

The world is `healing_world.world`: its constants are `Nature`'s, each can be set. What an oracle
reaches in it is a choice of ours, so read the headroom, not the per cent.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from healing_world import contenders as entrants
from healing_world.race import Outcome, race
from healing_world.retention import DEFINITION, nature_of, retention
from healing_world.world import ERRORS, STRATEGIES, Nature, Trace, make_trace
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

WEEKS = (1, 2, 4, 8, 52)
# The document's curve, in per cent of failures healed.
DOCUMENT = {1: 75.0, 2: 82.0, 4: 91.0, 8: 94.5, 52: 96.0}
RATES = (36.0, 5.0, 0.7)
NEAR, SPAN = 0.03, 20
TARGETS = {36.0: 0.97, 5.0: 0.93, 0.7: 0.87}

out, err = Console(width=150), Console(stderr=True)


def shares(trace: Trace, outcome: Outcome, floor: Outcome, ceiling: Outcome) -> dict[str, Any]:
    """The figures of one contender on one trace; rates as shares."""
    old = trace.source < trace.nature.sources
    new = ~old & (trace.nth < 20)
    week = (trace.at_h // 168).astype(int) + 1

    def healed(where: Any, of: Outcome = outcome) -> float | None:
        return float(of.healed[where].mean()) if where.any() else None

    low, high, own = (float(each.healed[old].mean()) for each in (floor, ceiling, outcome))
    return {
        "healed": own,
        "headroom": (own - low) / (high - low),
        "weeks": {each: healed(old & (week == each)) for each in WEEKS},
        "first_20_of_new": healed(new),
        "nearly_there_after": nearly_there(trace, outcome, ceiling),
        "in_outages": healed(old & trace.is_outage),
        "first_attempt": float(outcome.first[old].mean()),
        "seconds": float(outcome.waited_s[old].mean()),
        "tries": float(outcome.tries[old].mean()),
    }


def nearly_there(trace: Trace, outcome: Outcome, ceiling: Outcome) -> float | None:
    """After how many failures a newcomer heals nearly as much as the oracle; None if it never does.

    The first failure from which the next `SPAN` of all newcomers together are at most `NEAR` below
    the oracle's share of the same.
    """
    new = trace.source >= trace.nature.sources
    for nth in range(int(trace.nth[new].max()) - SPAN if new.any() else 0):
        where = new & (trace.nth >= nth) & (trace.nth < nth + SPAN)
        if ceiling.healed[where].mean() - outcome.healed[where].mean() <= NEAR:
            return float(nth)
    return None


def mean_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of figures over seeds."""
    mean: dict[str, Any] = {}
    for name in found[0]:
        values = [each[name] for each in found]
        if isinstance(values[0], dict):
            mean[name] = mean_of(values)
        else:
            known = [each for each in values if each is not None]
            mean[name] = float(np.mean(known)) if known else None
    return mean


def contest(
    nature: Nature, seeds: Iterable[int], makers: Iterable[Callable[[Trace], Any]], told: Any
) -> dict[str, dict[str, Any]]:
    """Play the same traces to everybody; figures by name, the clairvoyant bound last."""
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in seeds:
        trace = make_trace(nature, seed)
        floor = race(trace, entrants.Fixed(trace))
        ceiling = race(trace, entrants.Oracle(trace))
        for maker in makers:
            began = time.perf_counter()
            contender = maker(trace)
            outcome = race(trace, contender)
            figures = shares(trace, outcome, floor, ceiling)
            figures["us_per_event"] = (time.perf_counter() - began) / len(trace) * 1e6
            found.setdefault(contender.name, []).append(figures)
            told()
        possible = (trace.heals & trace.mask & (trace.seconds <= 3.0)).any(axis=1)
        seen = replace(ceiling, healed=possible)
        found.setdefault("clairvoyant", []).append(shares(trace, seen, floor, ceiling))
    return {name: mean_of(each) for name, each in found.items()}


def kept(nature: Nature, seeds: Iterable[int], told: Any) -> dict[str, dict[str, float]]:
    """Retention at 36 and 7 failures a day and source."""
    found = {}
    for rate in (36.0, 7.0):
        gaps = []
        for seed in seeds:
            trace = make_trace(replace(nature_of(nature), failures_per_day=rate), seed)
            contender = entrants.Ours(trace)
            contender.refit_h = 1.0
            gaps.append(retention(trace, race(trace, contender)))
            told()
        means = [
            float(np.mean([getattr(g, n) for g in gaps]))
            for n in ("steady", "meeting", "returning")
        ]
        value = 1.0 - (means[2] - means[0]) / (means[1] - means[0])
        found[f"{rate:g}"] = dict(
            zip(("steady", "meeting", "returning", "retention"), (*means, value), strict=True)
        )
    return found


def order_us(nature: Nature, seed: int) -> dict[str, float]:
    """Microseconds of `Policy.order` for all strategies, after eight weeks of learning."""
    trace = make_trace(replace(nature, weeks=8, newcomers=2), seed)
    contender = entrants.Ours(trace)
    contender.refit_h = 168.0
    race(trace, contender)
    rng = np.random.default_rng(seed)
    asked = [
        (
            contender.sources[rng.integers(nature.sources)],
            ERRORS[rng.integers(len(ERRORS))],
            dict(zip(STRATEGIES, rng.uniform(0.1, 1.6, len(STRATEGIES)).tolist(), strict=True)),
        )
        for _ in range(5000)
    ]
    spent = []
    for source, error, candidates in asked:
        began = time.perf_counter()
        contender.policy.order(source, error, candidates, 3.0)
        spent.append((time.perf_counter() - began) * 1e6)
    return {"p50": float(np.median(spent)), "p99": float(np.quantile(spent, 0.99))}


def percent(value: float | None) -> str:
    """A share in per cent; a dash where it is not known."""
    return "-" if value is None else f"{100 * value:.1f}"


def show_contest(title: str, found: dict[str, dict[str, Any]]) -> None:
    """Print who healed how much."""
    table = Table(title=title, box=SIMPLE, title_justify="left")
    weeks = [each for each in WEEKS if any(f["weeks"][each] is not None for f in found.values())]
    heads = ("healed %", "headroom %", *(f"week {each}" for each in weeks), "first 20 of new")
    for head in ("who orders", *heads, "in outages", "first try", "s", "tries"):
        table.add_column(head, justify="left" if head == "who orders" else "right")
    for name, each in found.items():
        table.add_row(
            f"[bold]{name}[/bold]" if name == entrants.Ours.name else name,
            percent(each["healed"]),
            percent(each["headroom"]),
            *(percent(each["weeks"][week]) for week in weeks),
            percent(each["first_20_of_new"]),
            percent(each["in_outages"]),
            percent(each["first_attempt"]),
            f"{each['seconds']:.2f}",
            f"{each['tries']:.2f}",
        )
    out.print(table)


def show_weeks(found: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Print the weeks beside the document's."""
    table = Table(
        title="Week by week: per cent healed, beside the document's curve and this world's ceiling",
        box=SIMPLE,
        title_justify="left",
    )
    table.add_column("week", justify="right")
    table.add_column("document", justify="right")
    for rate in found:
        table.add_column(f"{rate}/day", justify="right")
        table.add_column("ceiling", justify="right")
    for week in WEEKS:
        cells = [
            percent(each[name]["weeks"][week])
            for each in found.values()
            for name in (entrants.Ours.name, entrants.Oracle.name)
        ]
        table.add_row(str(week), f"{DOCUMENT[week]:.1f}", *cells)
    out.print(table)
    out.print(
        "The ceiling is the adaptive oracle's: it follows from constants of the simulator that we "
        "chose, and promises\nnothing about real providers. Failures per day are the clock of "
        "learning, not weeks.\n"
    )


def show_kept(found: dict[str, dict[str, float]]) -> None:
    """Print retention with its definition."""
    table = Table(title="Retention", box=SIMPLE, title_justify="left")
    for head in ("failures/day", "steady gap", "gap meeting B", "gap on return", "retention"):
        table.add_column(head, justify="right")
    for rate, each in found.items():
        table.add_row(
            rate,
            *(f"{each[name]:.4f}" for name in ("steady", "meeting", "returning")),
            f"{each['retention']:.2f}",
        )
    out.print(table)
    out.print(f"{DEFINITION}\n")


@contextmanager
def progress(steps: int) -> Iterator[Any]:
    """A bar that moves with each race."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} races"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("racing", total=steps)
        yield lambda: bar.advance(task)


def natures(settings: list[str]) -> Nature:
    """A nature with some of its constants set."""
    known = {each.name: each.type for each in fields(Nature)}
    given: dict[str, Any] = {}
    for each in settings:
        name, _, value = each.partition("=")
        if name not in known:
            sys.exit(
                f"learning.py: {name!r} is no constant of a world. Choose from {', '.join(known)}."
            )
        try:
            given[name] = int(value) if known[name] == "int" else float(value)
        except ValueError:
            sys.exit(f"learning.py: {value!r} is no number for {name}. Give --set {name}=1.5.")
    return Nature(**given)


def main() -> None:
    """Race, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many worlds")
    parser.add_argument("--weeks", type=int, default=52, help="length of the year's tables")
    parser.add_argument("--peer-weeks", type=int, default=8, help="length of the contest")
    parser.add_argument("--quick", action="store_true", help="one seed, eight weeks")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.quick:
        asked.seeds, asked.weeks, asked.peer_weeks = 1, 8, 8
    nature = natures(asked.set)
    seeds = range(asked.seed, asked.seed + asked.seeds)
    ours = (entrants.Fixed, entrants.Ours, entrants.Oracle)
    steps = asked.seeds * (len(entrants.CONTENDERS) + 2 + len(ours) * len(RATES))
    with progress(steps) as told:
        peers = contest(replace(nature, weeks=asked.peer_weeks), seeds, entrants.CONTENDERS, told)
        years = {
            f"{rate:g}": contest(
                replace(nature, weeks=asked.weeks, failures_per_day=rate), seeds, ours, told
            )
            for rate in RATES
        }
        back = kept(nature, seeds, told)
    speed = order_us(nature, asked.seed)
    if asked.json:
        print(
            json.dumps(
                {
                    "nature": asdict(nature),
                    "seeds": list(seeds),
                    "contest": peers,
                    "years": years,
                    "retention": {"definition": DEFINITION, **back},
                    "order_us": speed,
                }
            )
        )
        return
    show_contest(
        f"{nature.failures_per_day:g} failures a day and source, {asked.peer_weeks} weeks, seeds "
        f"{seeds[0]} to {seeds[-1]}: who heals within 3 s",
        peers,
    )
    for rate, found in years.items():
        show_contest(
            f"{rate} failures a day and source, {asked.weeks} weeks "
            f"(target: {TARGETS[float(rate)]:.0%} of the headroom)",
            found,
        )
    show_weeks(years)
    show_kept(back)
    out.print(
        f"Policy.order, {len(STRATEGIES)} candidates: {speed['p50']:.0f} us median, "
        f"{speed['p99']:.0f} us 99th percentile"
    )


if __name__ == "__main__":
    main()
