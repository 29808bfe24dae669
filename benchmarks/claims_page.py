"""The claims page: what was claimed, beside what was measured, and whether it held.

Every number comes from a file below ``results/``; a claim without one says that it was not
measured. The verdicts are computed here, so that a new measurement changes them and nobody has to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from kept_results import RESULTS, kept

PAGE = Path(__file__).parents[1] / "docs" / "claims.md"
BEGIN, END = "<!-- written by make claims: begin -->", "<!-- written by make claims: end -->"
Found = Mapping[str, Any]

OURS, INNER_ONLY = "healing_pipeline", "per source only"
CURVE = {"1": 75.0, "2": 82.0, "4": 91.0, "8": 94.5, "52": 96.0}


class Verdict(StrEnum):
    """Whether a claim held."""

    HELD = "held"
    IN_PART = "held in part"
    NOT_HELD = "not held"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    Attributes
    ----------
    said : str
        What was claimed.
    files : tuple of str
        Results that it is judged by, below ``results/``, without their ending.
    judge : callable
        What was measured, in words, and the verdict, of the figures of those files.
    limits : str
        What the measurement does not say.
    """

    said: str
    files: tuple[str, ...]
    judge: Callable[..., tuple[str, Verdict]]
    limits: str


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f} %"


def all_or(
    is_held: bool, otherwise: Verdict = Verdict.NOT_HELD, best: Verdict = Verdict.HELD
) -> Verdict:
    """`best` when it held."""
    return best if is_held else otherwise


def endpoints(inventory: Any, load: Any) -> tuple[str, Verdict]:
    """How many are watched."""
    seen = load["outcomes"][0]["seen"]
    text = (
        f"{inventory['endpoints']} endpoints of {len(inventory['sources'])} sources come with it; "
        f"one process watched {seen['endpoints']:,} while a third of their upstreams failed, its "
        f"probes {seen['lag_p99_s']:.1f} s late at the 99th percentile"
    )
    return text, all_or(inventory["endpoints"] >= 50)


def detection(drills: Any, stack: Any) -> tuple[str, Verdict]:
    """How soon a fault is seen."""
    p95 = max(each["time_to_detect_s"]["p95"] or 0.0 for each in drills)
    longest = max(each["time_to_detect_s"]["max"] or 0.0 for each in drills)
    missed = sum(each["faults_undetected"] for each in drills)
    through = max(each["time_to_detect_s"]["max"] or 0.0 for each in stack)
    faults = sum(each["alerts"]["faults"] for each in drills)
    text = (
        f"{len(drills)} scenarios: 95th percentile of the worst {p95:.2f} s, longest {longest:.2f} "
        f"s, {missed} of {faults} faults not seen; through Dagster, one scenario: longest "
        f"{through:.2f} s"
    )
    # All but a few, each within the time: the column of limits says so.
    return text, all_or(
        max(longest, through) <= 5 and missed <= 0.05 * faults, best=Verdict.IN_PART
    )


def healing(drills: Any, launch: Any, load: Any) -> tuple[str, Verdict]:
    """How soon it is healed."""
    p95 = max(each["time_to_heal_s"]["p95"] or 0.0 for each in drills)
    wait = max(each["longest_wait_s"] or 0.0 for each in drills)
    warm, stock = (launch[name]["opened_to_end_s"] for name in ("warm", "default"))
    seen, trial = load["outcomes"][0]["seen"], load["outcomes"][0]
    text = (
        f"readers: 95th percentile of the worst scenario {p95:.2f} s, longest wait {wait:.2f} s; "
        f"heal runs: {warm['p50']:.2f} s median, {warm['p95']:.2f} s 95th percentile with the warm "
        f"launcher, {stock['p50']:.2f} and {stock['p95']:.2f} s with Dagster's own; under load, "
        f"{seen['over_3_s']:,} of {trial['requests']:,} readers waited longer than 3 s"
    )
    if max(wait, warm["p95"]) <= 3 and not seen["over_3_s"]:
        return text, Verdict.HELD
    return text, all_or(max(p95, warm["p95"]) <= 3, best=Verdict.IN_PART)


def healed(drills: Any) -> tuple[str, Verdict]:
    """How much of what could be healed was."""
    met = sum(each["met_fault"] - each["unavoidable"] for each in drills)
    errors = sum(each["reader_errors"] for each in drills)
    share = (met - errors) / met
    text = f"{met - errors:,} of {met:,} requests that met a healable fault: {percent(share)}"
    return text, all_or(share >= 0.95)


def readers(drills: Any, load: Any) -> tuple[str, Verdict]:
    """Whether readers meet errors."""
    requests = sum(each["requests"] for each in drills)
    failed = sum(each["answers"]["failed"] for each in drills)
    errors = sum(each["reader_errors"] for each in drills)
    trial = load["outcomes"][0]
    text = (
        f"{errors} of {requests:,} requests in drills went without an answer that existed "
        f"({failed} had none); under load with a third of the upstreams failing "
        f"{trial['reader_errors']:,} of {trial['requests']:,}"
    )
    if errors:
        return text, Verdict.NOT_HELD
    return text, all_or(not trial["reader_errors"], otherwise=Verdict.IN_PART)


def alerts(drills: Any) -> tuple[str, Verdict]:
    """For how many faults people are called."""
    faults = sum(each["alerts"]["faults"] for each in drills)
    told = sum(each["alerts"]["faults_with_alert"] for each in drills)
    missed = sum(each["alerts"]["missed_incidents"] for each in drills)
    text = (
        f"for {told} of {faults} faults ({percent(told / faults)}); {missed} incidents that people "
        "had to know of went untold"
    )
    return text, all_or(told / faults < 0.05 and not missed)


def strategies(inventory: Any) -> tuple[str, Verdict]:
    """How many strategies there are."""
    names = inventory["strategies"]
    return f"{len(names)}: {', '.join(f'`{each}`' for each in names)}", all_or(len(names) >= 12)


def curve(learning: Any) -> tuple[str, Verdict]:
    """How much is healed in which week."""
    weeks = learning["years"]["36"][OURS]["weeks"]
    rare = learning["years"]["0.7"][OURS]["weeks"]
    told = [week for week in CURVE if weeks.get(week) is not None]
    per_cent = ", ".join(f"{100 * weeks[week]:.1f}" for week in told)
    slow = ", ".join(f"{100 * rare[week]:.1f}" for week in told if rare.get(week) is not None)
    head = learning["years"]["36"][OURS]["headroom"]
    text = (
        f"weeks {', '.join(told)}: {per_cent} % at 36 failures a day and source, {slow} % at 0.7; "
        f"{percent(head)} of what learning could add at all"
    )
    is_above = all(100 * weeks[week] >= CURVE[week] for week in told)
    return text, all_or(is_above, best=Verdict.IN_PART)


def faster(learning: Any) -> tuple[str, Verdict]:
    """What the nesting buys."""
    ours, alone = (learning["contest"][name] for name in (OURS, INNER_ONLY))
    first = (
        f"the first 20 failures of a source nobody has seen: {percent(ours['first_20_of_new'])} "
        f"healed, {percent(alone['first_20_of_new'])} without the outer layer; on known sources "
        f"{percent(ours['healed'])} and {percent(alone['healed'])}"
    )
    soon, late = ours.get("nearly_there_after"), alone.get("nearly_there_after")
    if soon is None or late is None:
        return f"{first}; within 3 points of the oracle: not both get there", Verdict.IN_PART
    text = (
        f"{first}; within 3 points of the oracle after {soon:.0f} and {late:.0f} failures of a new "
        "source"
    )
    return text, all_or(late >= 3 * soon, best=Verdict.IN_PART)


def retention(learning: Any) -> tuple[str, Verdict]:
    """What is left of what was learned."""
    found = learning["retention"]
    often, seldom = found["36"]["retention"], found["7"]["retention"]
    text = f"{percent(often)} at 36 failures a day, {percent(seldom)} at 7"
    return text, all_or(min(often, seldom) >= 0.85)


def forgetting(inventory: Any, learning: Any) -> tuple[str, Verdict]:
    """Whether anything is forgotten at once."""
    found = learning["retention"]["36"]
    text = (
        f"sums of days never fade (`{inventory['partitions']['outer_knowledge']}`), so the outer "
        f"layer forgets nothing; on return to an old state the best first attempt is "
        f"{100 * found['returning']:.1f} points likelier than ours, {100 * found['steady']:.1f} "
        "when nothing has changed"
    )
    return text, Verdict.IN_PART


def forecast() -> tuple[str, Verdict]:
    """Whether failures are foretold."""
    return "there is no forecast in this project", Verdict.NOT_MEASURED


def tokens(tokens: Any) -> tuple[str, Verdict]:
    """What TOON saves."""
    like = tokens["document_total"]["ours"]
    rows = {size: each["total"] for size, each in tokens["rows"].items()}
    each_size = ", ".join(
        f"{percent(one['saved_of_pretty'])} and {percent(one['saved_of_compact'])} at {size} rows"
        for size, one in rows.items()
    )
    text = (
        f"{percent(like['saved_of_pretty'])} of indented JSON and "
        f"{percent(like['saved_of_compact'])} of compact JSON, for tables as long as the "
        f"document's; {each_size}"
    )
    is_held = like["saved_of_pretty"] >= 0.58
    return text, all_or(is_held, otherwise=Verdict.IN_PART, best=Verdict.IN_PART)


def rates(inventory: Any) -> tuple[str, Verdict]:
    """How fast is learned."""
    shown = ", ".join(f"{each:g}" for each in inventory["inner_rates"])
    text = (
        f"per observation the inner layer keeps {len(inventory['inner_rates'])} timescales, with "
        f"rates {shown}, and weighs them by how well they foretold; the outer layer adds up and "
        "has no rate"
    )
    return text, Verdict.IN_PART


def rhythm(inventory: Any) -> tuple[str, Verdict]:
    """When is learned."""
    found = inventory["partitions"]
    text = (
        f"`inner_knowledge` by hour and source (`{found['inner_knowledge']}`), `outer_knowledge` "
        f"by day (`{found['outer_knowledge']}`)"
    )
    return text, all_or(found["outer_knowledge"] == "DailyPartitionsDefinition")


def labels(drills: Any) -> tuple[str, Verdict]:
    """Whether answers are what they say."""
    wrong = sum(each["wrong_as_good"] for each in drills)
    lagging = sum(each["lagging_as_good"] for each in drills)
    requests = sum(each["requests"] for each in drills)
    text = (
        f"{wrong} of {requests:,}; {lagging} more were called exact within seconds of a feed's "
        "stopping under fresh dates"
    )
    return text, all_or(not wrong, best=Verdict.HELD if not lagging else Verdict.IN_PART)


def events(drills: Any, kills: Any) -> tuple[str, Verdict]:
    """Whether events are lost."""
    lost = sum(each["events_lost"] for each in drills)
    doubled = sum(each["events_doubled"] for each in drills)
    events = sum(each["events"] for each in drills)
    killed = sum(each["times"] for each in kills["outcomes"])
    lost_in_kills = sum(
        (each["events_lost"] or 0) + (each["events_doubled"] or 0) for each in kills["outcomes"]
    )
    text = (
        f"{lost} lost and {doubled} doubled of {events:,} in drills; {lost_in_kills} in "
        f"{killed} kills of processes of a running stack"
    )
    return text, all_or(not (lost or doubled or lost_in_kills))


def cost(overhead: Any, gateway: Any) -> tuple[str, Verdict]:
    """What a healthy read costs."""
    quote = overhead["own_code"]["yahoo/quote-aapl"]["all_us"]
    each = [kind["healing"]["per_cpu_s"] for kind in gateway.values()]
    plain = [kind["Starlette + httpx"]["per_cpu_s"] for kind in gateway.values()]
    # Like with like: of one kind of read, in one run.
    times = [ours / theirs for ours, theirs in zip(each, plain, strict=True)]
    text = (
        f"{quote:.0f} µs of CPU for a quote; by kind of read the gateway serves {min(each):,.0f} "
        f"to {max(each):,.0f} requests per CPU second, {min(times):.1f} to {max(times):.1f} times "
        "as many as a plain Python proxy"
    )
    return text, all_or(min(times) > 1)


CLAIMED = (
    Claim(
        "Watches 50 and more endpoints",
        ("inventory", "reliability/load"),
        endpoints,
        "Real providers with real keys are not part of the tests: the simulator plays them, by "
        "recorded answers.",
    ),
    Claim(
        "Detects a failure within 5 s",
        ("drills", "stack"),
        detection,
        "All but a few. A fault counts as not seen when no call that met it was recognised before "
        "its end. An endpoint that somebody reads, or that a drill probes every 5 s; one that "
        "nobody reads is seen at its next probe, by default after 30 s to hours, as its quota "
        "bears.",
    ),
    Claim(
        "Heals within 3 s",
        ("drills", "launch", "reliability/load"),
        healing,
        "At the 95th percentile. A reader waits 3 s at most by the clock of an idle machine; with "
        "no core to spare, "
        "longer. A pod for each run, on Kubernetes, takes seconds more for the run, not for the "
        "reader.",
    ),
    Claim(
        "Heals 95 % and more of healable faults",
        ("drills",),
        healed,
        "Healable is what an answer existed for, of a fidelity that the endpoint accepts: stored "
        "data counts, said to be stale. Requests that are wrong in themselves do not.",
    ),
    Claim(
        "No error reaches the reader",
        ("drills", "reliability/load"),
        readers,
        "Under load the machine had two cores for upstreams, readers, PostgreSQL and gateway.",
    ),
    Claim(
        "Calls people for fewer than 5 % of faults",
        ("drills",),
        alerts,
        "All faults of these scenarios can be healed. Where healing cannot help, people are told, "
        "once: see [what a drill says of alerts](explanation/drill_alerts.md).",
    ),
    Claim("Has twelve strategies", ("inventory",), strategies, "Others can be added by a package."),
    Claim(
        "Success grows with weeks of learning: 75, 82, 91, 94.5, 96 %",
        ("learning",),
        curve,
        "In a simulated world of ours, whose ceiling is our choice. Failures are the clock of "
        "learning, not weeks. It says nothing of real providers.",
    ),
    Claim(
        "Nested learning adapts three times faster",
        ("learning",),
        faster,
        "For sources that are new. On sources that are known, and after an abrupt change of one, "
        "the outer layer adds nothing.",
    ),
    Claim(
        "Retains 85 % of what it learned, against 20 %",
        ("learning",),
        retention,
        "By a strict definition: 1 is as if never left, 0 as bad as something new. The document "
        "gave none, so its 85 cannot be checked.",
    ),
    Claim(
        "No catastrophic forgetting",
        ("inventory", "learning"),
        forgetting,
        "Counts per cell share no weights, so that there is nothing to interfere: it holds by "
        "construction, and is no achievement.",
    ),
    Claim(
        "Predicts failures five minutes ahead",
        (),
        forecast,
        "Nothing of the kind was built.",
    ),
    Claim(
        "TOON saves 58 % of tokens",
        ("tokens",),
        tokens,
        "Nobody has to send indented JSON to a model: compact JSON is what to compare with. Flat, "
        "alike rows only; see [what it saves, and what it does not](explanation/toon.md).",
    ),
    Claim(
        "Learns at a rate of 0.1 inside and 0.01 outside",
        ("inventory",),
        rates,
        "0.01 a day on a mean would have moved 7 % of the way after a week. Sums that never fade "
        "replace it.",
    ),
    Claim("Learns every hour inside, every day outside", ("inventory",), rhythm, "As claimed."),
)

PROMISED = (
    Claim(
        "No data is worse than its label",
        ("drills",),
        labels,
        "A feed that stops under fresh dates is known by looking again; until then its numbers "
        "pass as live.",
    ),
    Claim(
        "No event is lost, none is counted twice",
        ("drills", "reliability/kills"),
        events,
        "While the disk holds what waits for PostgreSQL; its bound is `HEALING_SPOOL_MB`.",
    ),
    Claim(
        "A healthy read costs less than a plain Python proxy",
        ("overhead", "gateway"),
        cost,
        "CPU time of our own code; the call itself and the facts on disk come on top.",
    ),
)


def figures_of(name: str) -> Any:
    """What a file holds that a claim is judged by; None where it is not there."""
    if name.startswith("reliability/"):
        path = RESULTS / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    found = kept(name)
    return None if found is None else found["figures"]


def judged(claim: Claim) -> tuple[str, Verdict]:
    """What was measured of a claim, and the verdict."""
    figures = [figures_of(name) for name in claim.files]
    if any(each is None for each in figures):
        return "-", Verdict.NOT_MEASURED
    return claim.judge(*figures)


def link(name: str) -> str:
    """A result's name; the files are beside the documentation, not in it."""
    return f"`{name}.json`"


def table(claims: Sequence[Claim]) -> list[str]:
    """Claims as a table."""
    lines = ["| claimed | measured | | its limits | from |", "| --- | --- | --- | --- | --- |"]
    for each in claims:
        text, verdict = judged(each)
        files = ", ".join(map(link, each.files)) or "-"
        lines.append(f"| {each.said} | {text} | **{verdict}** | {each.limits} | {files} |")
    return lines


def sources() -> list[str]:
    """The files, with machine and date."""
    lines = [
        "| file | measured (UTC) | took | commit | machine | how |",
        "| --- | --- | ---: | --- | --- | --- |",
    ]
    for name in sorted({name for each in (*CLAIMED, *PROMISED) for name in each.files}):
        if name.startswith("reliability/"):
            found = figures_of(name)
            if found is not None:
                lines.append(
                    f"| {link(name)} | {found['at'][:16].replace('T', ' ')} | | | "
                    f"{found['machine']} | `make chaos TRIALS={found['trial']}` |"
                )
            continue
        found = kept(name)
        if found is None:
            lines.append(f"| {link(name)} | not yet | | | | `make claims ONLY={name}` |")
            continue
        on = found["machine"]
        form = ", short form" if found["is_short_form"] else ""
        lines.append(
            f"| {link(name)} | {found['began'][:16].replace('T', ' ')} | "
            f"{found['seconds']:.0f} s | {found['commit']} | {on['cores']} cores of {on['cpu']}, "
            f"{on['memory_gb']} GB, {on['system']}, Python {on['python']}, load {on['load_before']}"
            f" | `{found['command']}`{form} |"
        )
    return lines


def written() -> str:
    """What stands between the marks."""
    return "\n".join(
        [
            *table(CLAIMED),
            "",
            "## What is promised besides",
            "",
            *table(PROMISED),
            "",
            "## Where the numbers come from",
            "",
            "Files below `benchmarks/results/`, each with its figures in full.",
            "",
            *sources(),
        ]
    )


def write(page: Path = PAGE) -> None:
    """Write the page anew, what people wrote around it excepted."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{written()}\n\n{END}{after}", encoding="utf-8")
