"""Celery's worker for heals killed with -9 in the middle of fifty heals.

`healing up --profile celery` runs as a process of its own, with Redis and two workers. Every
upstream answers with an error, after two seconds, and fifty incidents are opened in the tables at
once. When the worker's processes are all at a heal, one of them is killed, and a moment later the
whole worker with all of its processes. Then the upstreams are well again.

Every incident is to be healed and, once its endpoint answers, resolved; none twice. That is counted
by the steps of the incidents, by the routes, and by Dagster's own record: no run may begin twice.
What a kill costs is the heals that were under way: how long until Dagster knew that their runs were
lost, and until their incidents were healed by others.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import psutil
import psycopg

from healing_pipeline.installation import load_catalog
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.incidents import NewIncident, begin_incidents
from healing_pipeline.storage.probes import hasten_all
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.stack_account import healed_twice, held, open_incidents, strangers
from healing_pipeline_tests.chaos.whole_stack import WholeStack, whole_stack

Say = Callable[[str], None]

HEALS, QUICK_HEALS = 50, 12
SLOW_S = 2.0
HEALED_WITHIN_S = 300.0
RESOLVED_WITHIN_S = 180.0

# Two sources that may be asked often, so that their ends are seen soon.
CONFIG = """\
upstreams: simulated
simulator: {port: %d}
sources:
  yahoo:
    hosts: {query1: https://query1.finance.yahoo.com}
  fred:
    hosts: {api: https://api.stlouisfed.org}
    keys: {primary: {env: FRED_API_KEY}}
endpoints:
"""
CHART = "  yahoo/%s-%s: {path: /v8/finance/chart/%s, params: {interval: 1d, range: %s}}\n"
SERIES = (
    "  fred/%s-%d: {path: /fred/series/observations, "
    "params: {series_id: %s, file_type: json, sort_order: desc, limit: %d}}\n"
)
SYMBOLS = (
    "AAPL",
    "MSFT",
    "NVDA",
    "GOOGL",
    "META",
    "AMZN",
    "TSLA",
    "JPM",
    "XOM",
    "JNJ",
    "SPY",
    "IBM",
)
SPANS = ("3mo", "6mo")
SERIES_IDS = ("DGS10", "UNRATE", "GDP", "PAYEMS", "FEDFUNDS", "CPIAUCSL")
LIMITS = range(20, 25)

# Between the death of one process and that of all.
THEN_S = 2.0


def run(seed: int, quick: bool, say: Say) -> list[Outcome]:
    """Play it once; one row."""
    count = QUICK_HEALS if quick else HEALS
    with whole_stack(0.5, say, profile="celery", config=_config) as stack:
        catalog = load_catalog(stack.config, {})
        endpoints = sorted(catalog.endpoints)
        _until(lambda: _known(stack) == len(endpoints), 120, "data of every endpoint", stack)
        # Only the incidents that are opened here: no probe is to open others.
        _probe_in(stack, 3600.0)
        for source in catalog.sources:
            stack.simulator.add_fault(
                {"for_s": 3600.0, "match": {"source": source}, "fault": "server_error",
                 "latency_s": SLOW_S}
            )  # fmt: skip
        mine = _open_incidents(stack, endpoints[:count])
        began = time.monotonic()
        say(f"{count} incidents are open")
        killed = _kill(stack, say)
        broken: list[str] = []
        try:
            _until(lambda: not _unhealed(stack, mine), HEALED_WITHIN_S, "all to be healed", stack)
        except TimeoutError as error:
            broken.append(f"{error}: {_unhealed(stack, mine)}")
        healed_s = time.monotonic() - began
        say(f"all are healed after {healed_s:.1f} s")
        stack.simulator.clear_faults()
        with Database(stack.url, max_size=1) as database, database.connection() as connection:
            hasten_all(connection, endpoints, datetime.now(UTC))
        began = time.monotonic()
        with suppress(TimeoutError):
            _until(lambda: not open_incidents(stack), RESOLVED_WITHIN_S, "the end", stack)
        resolved_s = time.monotonic() - began
        # Runs that were lost are failed by then, and what is held for a moment is given back.
        with suppress(TimeoutError):
            _until(lambda: not held(stack), 60, "nothing to be held", stack)
        broken += [f"stuck: {each}" for each in open_incidents(stack)]
        broken += [f"healed twice: {each}" for each in healed_twice(stack)]
        broken += [f"healed twice: {each}" for each in _healed_again(stack, mine)]
        broken += [f"begun twice: run {each}" for each in _begun_twice(stack)]
        broken += [f"held: {each}" for each in held(stack)]
        broken += [f"left running: {each}" for each in strangers(stack)]
        seen = _figures(stack, mine, killed)
        alive = stack.processes()
        stopped_s = stack.stop()
        broken += [f"outlived the stop: {each.pid}" for each in alive if _lives(each)]
    lost = int(seen["heals lost"])
    if not lost:
        broken.append("no heal was lost: the kill met nothing")
    return [
        Outcome(
            fault=f"Celery's worker killed with -9 amid {count} heals",
            times=2,
            normal_after_s=round(healed_s, 1),
            events_lost=sum(each.startswith("stuck") for each in broken),
            events_doubled=sum("twice" in each for each in broken),
            seen={
                "incidents": count,
                **seen,
                "seconds from the end of the faults until all were resolved": round(resolved_s, 1),
                "seconds to stop": round(stopped_s, 1),
            },
            broken=tuple(broken),
        )
    ]


def _config(port: int) -> str:
    """More than fifty endpoints: 24 of yahoo, 30 of fred."""
    charts = [CHART % (symbol.lower(), span, symbol, span) for symbol in SYMBOLS for span in SPANS]
    series = [
        SERIES % (each.lower(), limit, each, limit) for each in SERIES_IDS for limit in LIMITS
    ]
    return CONFIG % port + "".join(charts + series)


def _kill(stack: WholeStack, say: Say) -> dict[str, datetime]:
    """Kill a process of the worker, then the worker; when each was."""
    group = stack.group_of("--queues=heal")
    _until(lambda: _under_way(stack) >= len(group) - 1, 60, "all processes to heal", stack)
    killed = {"process": datetime.now(UTC)}
    # The last one: the first is the worker itself.
    os.kill(group[-1], signal.SIGKILL)
    say("one process of the worker is killed")
    time.sleep(THEN_S)
    _until(lambda: _under_way(stack) >= 2, 60, "processes to heal", stack)
    leader = stack.group_of("--queues=heal")[0]
    killed["worker"] = datetime.now(UTC)
    os.killpg(leader, signal.SIGKILL)
    say("the worker is killed with all its processes")
    return killed


def _open_incidents(stack: WholeStack, endpoints: list[str]) -> list[int]:
    now = datetime.now(UTC)
    with Database(stack.url, max_size=1) as database, database.connection() as connection:
        begun = begin_incidents(
            connection,
            [
                NewIncident(
                    endpoint=each,
                    source=each.split("/")[0],
                    failure_class="server_error",
                    evidence="opened by a trial",
                    severity="warning",
                    detected_by="probe",
                    began_at=now,
                    at=now,
                    signal="confirmed",
                    to_state="open",
                    asks_heal=True,
                    note="opened by a trial",
                )
                for each in endpoints
            ],
        )
    return sorted(each.incident_id for each in begun.values())


def _known(stack: WholeStack) -> int:
    ((count,),) = stack.rows("SELECT count(DISTINCT endpoint) FROM snapshot")
    return int(count)


def _probe_in(stack: WholeStack, seconds: float) -> None:
    with Database(stack.url, max_size=1) as database, database.connection() as connection:
        connection.execute(
            "UPDATE probe_schedule SET next_at = now() + make_interval(secs => %s)", [seconds]
        )


def _under_way(stack: WholeStack) -> int:
    ((count,),) = stack.rows("SELECT count(*) FROM incident WHERE state = 'healing'")
    return int(count)


def _unhealed(stack: WholeStack, mine: list[int]) -> list[str]:
    rows = stack.rows(
        """SELECT id, endpoint, state FROM incident
            WHERE id = ANY(%s) AND state IN ('suspected', 'open', 'healing') ORDER BY id""",
        mine,
    )
    return [f"{number} of {endpoint} is {state}" for number, endpoint, state in rows]


def _healed_again(stack: WholeStack, mine: list[int]) -> list[str]:
    rows = stack.rows(
        """SELECT incident_id, count(*) FROM incident_event
            WHERE incident_id = ANY(%s) AND signal = 'heal_succeeded'
            GROUP BY 1 HAVING count(*) > 1""",
        mine,
    )
    return [f"incident {number} has {count} heals that succeeded" for number, count in rows]


def _begun_twice(stack: WholeStack) -> list[str]:
    rows = stack.rows(
        """SELECT run_id FROM event_logs WHERE dagster_event_type = 'PIPELINE_START'
            GROUP BY run_id HAVING count(*) > 1""",
        dagster=True,
    )
    return [str(run_id) for (run_id,) in rows]


def _figures(
    stack: WholeStack, mine: list[int], killed: dict[str, datetime]
) -> dict[str, float | int | str]:
    """What the tables say of the kill's cost."""
    signals = dict(
        stack.rows(
            """SELECT signal, count(*) FROM incident_event WHERE incident_id = ANY(%s)
                GROUP BY 1""",
            mine,
        )
    )
    ((lost_s,),) = stack.rows(
        """SELECT max(extract(epoch FROM healed.at - %s)) FROM incident_event AS healed
            WHERE signal IN ('heal_succeeded', 'heal_failed') AND incident_id IN
                  (SELECT incident_id FROM incident_event WHERE signal = 'heal_lost')""",
        killed["worker"],
    )
    failed = stack.rows(
        """SELECT runs.start_time IS NOT NULL, extract(epoch FROM event_logs.timestamp - %s)
             FROM event_logs JOIN runs USING (run_id)
            WHERE dagster_event_type = 'PIPELINE_FAILURE'""",
        killed["worker"].replace(tzinfo=None),
        dagster=True,
    )
    begun = [float(after_s) for had_begun, after_s in failed if had_begun]
    never = [float(after_s) for had_begun, after_s in failed if not had_begun]
    return {
        "heals lost": int(signals.get("heal_lost", 0)),
        "heals that succeeded": int(signals.get("heal_succeeded", 0)),
        "seconds from the kill until the last lost heal was made good": round(
            float(lost_s or 0.0), 1
        ),
        "runs that had begun and were failed": len(begun),
        "seconds from the kill until the last of them was": round(max(begun, default=0.0), 1),
        "runs that had not begun and were failed": len(never),
        "seconds from the kill until the last of these was": round(max(never, default=0.0), 1),
    }


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _until(what: Callable[[], bool], within_s: float, wanted: str, stack: WholeStack) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        stack.check()
        with suppress(psycopg.Error, RuntimeError):
            if what():
                return
        time.sleep(0.1)
    raise TimeoutError(f"waited {within_s:.0f} s for {wanted}")
