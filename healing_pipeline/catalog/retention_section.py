"""The section `retention` of a configuration: how many days each kind of row is kept.

Every number has a floor: what is read by something else may not be taken away before that has read
it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import timedelta

from healing_pipeline.catalog.document import Table
from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.problems import Findings, listed

SECTION = "retention"
LONGEST_DAYS = 3650

# Why each is kept for at least so many days.
FLOORS: dict[str, tuple[int, str]] = {
    "detail": (4, "alerts on error budgets look three days back"),
    "decisions": (1, "`healing explain` reads them"),
    "snapshots": (2, "long_ttl_cache serves what is a day old"),
    "incidents": (4, "alerts look three days back"),
    "alerts": (4, "reminders and flapping look back"),
    "health": (32, "reports go back a month"),
    "knowledge": (92, "policies are fitted to ninety days of hours"),
    "policies": (8, "`healing learn --rollback` goes back to one"),
    "runs": (2, "Dagster's page shows them"),
}
MONTH_OF_CALLS = 32


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that rows are kept.

    Attributes
    ----------
    detail : int
        Attempts, answers and probe results.
    decisions : int
        What each choice among strategies was made of.
    snapshots : int
        Stored answers; the newest of each endpoint stays.
    incidents : int
        Resolved ones with their steps, diagnoses, second opinions and routes.
    alerts : int
        Closed groups with their messages and deliveries.
    health : int
        Quarters of an hour, and health reports.
    knowledge : int
        What was learned of single hours; the sums of days stay for ever.
    policies : int
        Those no longer in force.
    runs : int
        Dagster's runs that materialise no partition, and what the others said on their way.
    """

    detail: int = 35
    decisions: int = 7
    snapshots: int = 30
    incidents: int = 400
    alerts: int = 400
    health: int = 400
    knowledge: int = 400
    policies: int = 90
    runs: int = 30

    def lasting(self, kind: str) -> timedelta:
        """How long one kind is kept."""
        return timedelta(days=getattr(self, kind))


KINDS = tuple(each.name for each in fields(Retention))


def read_retention(root: Fields, findings: Findings) -> Retention:
    """The section among the top level's fields; what is wrong falls back to its default."""
    node = root.node(SECTION)
    if node is None:
        return Retention()
    own = Fields(
        node,
        what=f"`{SECTION}`",
        line=node.line,
        required=(),
        optional=KINDS,
        findings=findings,
    )

    def line_of(kind: str) -> int:
        there = own.node(kind)
        return node.line if there is None else there.line

    written = {}
    for kind in KINDS:
        days = own.whole(kind, 1, LONGEST_DAYS)
        if days is None:
            continue
        floor, reason = FLOORS[kind]
        if days < floor:
            findings.error(
                line_of(kind),
                f"`{kind}` of `{SECTION}` is {days}, and {reason}.",
                f"Write {floor} days or more.",
            )
            continue
        written[kind] = days
    found = Retention(**written)
    if found.decisions > found.detail:
        findings.error(
            line_of("decisions"),
            f"`decisions` of `{SECTION}` is {found.decisions}, longer than `detail` "
            f"({found.detail}): a decision without its attempts explains nothing.",
            f"Write {found.detail} days or fewer.",
        )
    for kind in ("incidents", "health"):
        if getattr(found, kind) < found.detail:
            findings.error(
                line_of(kind),
                f"`{kind}` of `{SECTION}` is {getattr(found, kind)}, shorter than `detail` "
                f"({found.detail}), of which it is the summary.",
                f"Write {found.detail} days or more.",
            )
    if found.alerts > found.incidents:
        findings.error(
            line_of("alerts"),
            f"`alerts` of `{SECTION}` is {found.alerts}, longer than `incidents` "
            f"({found.incidents}), of which they tell.",
            f"Write {found.incidents} days or fewer.",
        )
    return found


def check_quotas(
    root: Fields, retention: Retention, monthly: Collection[str], findings: Findings
) -> None:
    """Refuse to forget calls that still count against the quota of a month."""
    if not monthly or retention.detail >= MONTH_OF_CALLS:
        return
    node = root.node(SECTION)
    entries = node.entries if isinstance(node, Table) else ()
    findings.error(
        next((value.line for name, value in entries if name.text == "detail"), 1),
        f"`detail` of `{SECTION}` is {retention.detail}, and the calls of a month are counted "
        f"against the quota of {listed(sorted(monthly))}.",
        f"Write {MONTH_OF_CALLS} days or more, or leave `per_month` out.",
    )
