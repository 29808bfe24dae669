"""What is in the database of a stack that was broken, held against what others have seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from healing_pipeline_tests.chaos.whole_stack import WholeStack

# What may still be under way at any moment.
UNDER_WAY_S = 30


@dataclass(frozen=True, slots=True)
class Facts:
    """Answers that readers got, and what became of them in the database."""

    lost: int
    doubled: int
    stored: int


def answers_of(stack: WholeStack, answered: Sequence[str]) -> Facts:
    """Hold every answer that a reader got against the table of answers."""
    rows = stack.rows(
        """SELECT request_id::text, count(*) FROM answer
            WHERE request_id = ANY(%s::uuid[]) GROUP BY 1""",
        list(answered),
    )
    stored = dict(rows)
    return Facts(
        lost=len(set(answered) - set(stored)),
        doubled=sum(count > 1 for count in stored.values())
        + sum(count > 1 for count in Counter(answered).values()),
        stored=len(stored),
    )


def open_incidents(stack: WholeStack) -> list[str]:
    """Incidents that are not over, as people name them."""
    return [
        f"{number} of {endpoint} is {state}"
        for number, endpoint, state in stack.rows(
            "SELECT id, endpoint, state FROM incident WHERE state <> 'resolved' ORDER BY id"
        )
    ]


def healed_twice(stack: WholeStack) -> list[str]:
    """Heals of which more than one had an effect, counted two ways; empty when all is well."""
    found = []
    # By the steps: each was asked for by an event, was begun once for it, and ended once.
    steps: dict[int, list[tuple[int, str, bool]]] = {}
    for incident, event, signal, asks in stack.rows(
        "SELECT incident_id, id, signal, asks_heal FROM incident_event ORDER BY id"
    ):
        steps.setdefault(incident, []).append((event, signal, asks))
    for incident, events in steps.items():
        asked, begun = 0, 0
        for event, signal, asks in events:
            if signal == "heal_started":
                asked, begun = asked - 1, begun + 1
            elif signal in {"heal_succeeded", "heal_failed"}:
                begun -= 1
            elif signal in {"heal_lost", "recovered"}:
                begun = 0
            if asks:
                asked = 1
            if asked < 0 or begun < 0 or begun > 1:
                found.append(f"incident {incident}: step {event} ({signal}) was nobody's to make")
                break
    # By what they leave: a route for each success.
    for incident, routes, successes in stack.rows(
        """SELECT route.incident_id, count(DISTINCT route.id),
                  (SELECT count(*) FROM incident_event AS event
                    WHERE event.incident_id = route.incident_id
                      AND event.signal = 'heal_succeeded')
             FROM route GROUP BY route.incident_id"""
    ):
        if routes > successes:
            found.append(f"incident {incident}: {routes} routes for {successes} heals")
    # A route stands for an incident that is open, or for none.
    for endpoint, incident in stack.rows(
        """SELECT route.endpoint, route.incident_id FROM route
             JOIN incident ON incident.id = route.incident_id
            WHERE route.withdrawn_at IS NULL AND incident.state = 'resolved'"""
    ):
        found.append(f"{endpoint}: the route of incident {incident}, which is over, still stands")
    return found


def asked_twice(stack: WholeStack) -> int:
    """Events that more than one run was started for, when sensors were killed amid asking.

    Only one of the runs takes the incident; the other finds it taken and does nothing.
    """
    rows = stack.rows(
        """SELECT value FROM run_tags WHERE key = 'healing/incident_event'
            GROUP BY value HAVING count(*) > 1""",
        dagster=True,
    )
    return len(rows)


def held(stack: WholeStack) -> list[str]:
    """What somebody holds though nothing is under way: locks, transactions, slots, runs."""
    found = [
        f"lock {kind} of {who!r}"
        for kind, who in stack.rows(
            """SELECT lock.locktype, activity.application_name FROM pg_locks AS lock
                 JOIN pg_stat_activity AS activity USING (pid)
                WHERE lock.locktype = 'advisory'
                  AND activity.state_change < now() - make_interval(secs => %s)""",
            UNDER_WAY_S,
        )
    ]
    found += [
        f"a transaction of {who!r} since {since}"
        for who, since in stack.rows(
            """SELECT application_name, xact_start FROM pg_stat_activity
                WHERE state LIKE 'idle in transaction%%'
                  AND state_change < now() - make_interval(secs => %s)""",
            UNDER_WAY_S,
        )
    ]
    found += [
        f"pool slot {key} of run {run}"
        for key, run in stack.rows(
            "SELECT concurrency_key, run_id FROM concurrency_slots WHERE run_id IS NOT NULL",
            dagster=True,
        )
    ]
    found += [
        f"run {run} of {job} is {status}"
        for run, job, status in stack.rows(
            """SELECT run_id, pipeline_name, status FROM runs
                WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
                  AND create_timestamp < (now() AT TIME ZONE 'UTC') - make_interval(secs => %s)""",
            UNDER_WAY_S,
            dagster=True,
        )
    ]
    return found


def strangers(stack: WholeStack) -> list[str]:
    """Processes of the stack that nobody of it knows."""
    family = {stack.process.pid}
    for part in stack.processes():
        if part.pid == stack.process.pid:
            family |= {each.pid for each in part.children(recursive=True)}
    warm = stack.warm() or {"zygote": 0, "template": 0, "prewarmed": [], "runs": {}}
    known = {warm["zygote"], warm["template"], *warm["prewarmed"], *warm["runs"].values()}
    return [
        f"{each.pid} {' '.join(each.cmdline())[:100]}"
        for each in stack.processes()
        if each.pid not in family | known
    ]


def litter(stack: WholeStack) -> dict[str, int]:
    """How many files there are in the state folder, by folder; PostgreSQL's own left out."""
    counted: Counter[str] = Counter()
    for path in stack.state.rglob("*"):
        parts = path.relative_to(stack.state).parts
        if parts[0] != "postgres" and not path.is_dir():
            counted[parts[0] if len(parts) > 1 else "."] += 1
    return dict(sorted(counted.items()))
