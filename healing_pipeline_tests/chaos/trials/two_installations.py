"""Two whole stacks on one database, by mistake: two of everything, and one incident of each fault.

Two `healing up` run in folders of their own: two daemons, two code servers, two sets of sensors,
two gateways, two processes that send alerts, two webservers. They share the project's tables and
Dagster's, connect as the application's role, and a channel of both leads to the same server, which
keeps every message. Each has simulated upstreams of its own, with the same seed and the same faults
at the same moment. Readers ask both gateways all the while. Then, for every fault: it is laid on
both simulators, one of the daemons is killed with -9 in the middle of some, and it is over again.

What is counted afterwards, each by somebody else's account:

- answers that readers got, by the ids that they were sent, against the table of answers;
- heals, by the steps of each incident: asked for once, begun once, ended once; and the runs that
  Dagster has on record for each request (a second one finds the incident taken and does nothing);
- messages, by what the server of the channel took, against the messages that were to be sent;
- probes, by how many the interval of an endpoint allows between its first and its last, where
  nothing bad was heard of it; two installations that probed each for itself would make twice that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import psutil

from healing_pipeline.installation import STATE_DIR_VARIABLE, load_catalog
from healing_pipeline.simulator.control import _free_block
from healing_pipeline.storage.database import (
    DAGSTER_URL_VARIABLE,
    OWNER_URL_VARIABLE,
    URL_VARIABLE,
    DatabaseAddress,
    resolve_database,
)
from healing_pipeline_tests.chaos.one_gateway import ROOT, environment, write_config
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.stack_account import answers_of, healed_twice, open_incidents
from healing_pipeline_tests.chaos.stack_readers import GatewayReaders
from healing_pipeline_tests.chaos.whole_stack import SCENARIO, WholeStack
from healing_pipeline_tests.post_offices import HttpServer, http_server

Say = Callable[[str], None]

CHANNEL = "ALERTS_TRIAL_URL"
READY_WITHIN_S, STARTS_WITHIN_S = 300.0, 90.0
# Polygon's keys may be called five times a minute: whether it has recovered is asked seldom.
QUIET_WITHIN_S = 480.0
ALERTS = f"""
alerts:
  keep-firing-for: 5s
  channels:
    trial: {{env: {CHANNEL}, levels: [warning, error, critical]}}
"""
# What is laid on both, for how long; None: until its incident has been told of.
FAULTS: tuple[tuple[str, dict[str, object], float], ...] = (
    ("rate limit on quotes", {"fault": "rate_limit",
                              "match": {"source": "yahoo", "path": "/v7/finance/quote"}}, 25.0),
    ("a source that is down", {"fault": "down", "match": {"source": "fred"}}, 40.0),
    ("bad keys", {"fault": "auth_error", "match": {"source": "polygon"}}, 40.0),
    ("errors of one host", {"fault": "server_error",
                            "match": {"source": "yahoo", "host": "query1"}}, 25.0),
)  # fmt: skip
# Of endpoints of which nothing bad was heard: what is suspected is looked at more closely. A turn
# comes somewhat sooner by chance; that of a busy machine comes late and the next in time: two may
# be close without one too many.
PROBES_TOO_MANY = """
    SELECT COALESCE(sum(GREATEST(0, probes - most)), 0)::int, count(*)
      FROM (SELECT endpoint, count(*) AS probes,
                   ceil(extract(epoch FROM max(at) - min(at)) / (0.9 * min(interval_s))) + 1 AS most
              FROM probe_result JOIN probe_schedule USING (endpoint)
             WHERE confirms IS NULL AND at > %s
               AND endpoint NOT IN (SELECT endpoint FROM incident)
               AND endpoint NOT IN (SELECT endpoint FROM attempt
                                     WHERE strategy = 'plain' AND failure_class <> 'ok')
               AND endpoint NOT IN (SELECT endpoint FROM probe_result WHERE failure_class <> 'ok')
             GROUP BY endpoint) AS probed"""


class OneOfTwo(WholeStack):
    """A stack whose tables are on a server that it did not start."""

    address: DatabaseAddress

    @property
    def url(self) -> str:
        """Of the project's tables."""
        return self.address.owner_url

    @property
    def dagster_url(self) -> str:
        """Of Dagster's."""
        return self.address.dagster_url.replace("postgresql+psycopg2", "postgresql", 1)


def run(seed: int, quick: bool, say: Say) -> list[Outcome]:
    """Play it; one row."""
    rng = Random(f"two:{seed}")
    faults = FAULTS[:2] if quick else FAULTS * 2
    broken: list[str] = []
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(
            prefix="h2-", ignore_cleanup_errors=True)))  # fmt: skip
        folder.chmod(0o755)
        address = resolve_database({}, folder / "server")
        parts.callback(address.close)
        post = parts.enter_context(http_server())
        both = [
            parts.enter_context(_stack(folder / name, address, post, say)) for name in ("a", "b")
        ]
        one = both[0]
        endpoints = list(load_catalog(one.config, {}).endpoints)
        since = one.rows("SELECT now()")[0][0]
        readers = [
            GatewayReaders(each.gateway, endpoints, 4.0, Random(f"{seed}:{n}"))
            for n, each in enumerate(both)
        ]
        for each in readers:
            each.start()
        for turn, (name, fault, seconds) in enumerate(faults):
            kill = turn % 2 == 1
            _play(both, name, fault, seconds, rng.choice(both) if kill else None, say)
        quiet_s = _quiet(one, say)
        for each in readers:
            each.stop()
        time.sleep(5.0)  # what readers were answered last is stored
        facts = answers_of(one, [each for reader in readers for each in reader.answered])
        wrong = healed_twice(one)
        extra = [each for each in wrong if each.startswith("event ")]
        broken += [f"healed twice: {each}" for each in wrong if each not in extra]
        broken += [f"stuck: {each}" for each in open_incidents(one)]
        sent_wrong, sent = _messages(one, post)
        broken += sent_wrong
        broken += [f"{count} times: {why}" for each in readers for why, count in each.why.items()]
        ((too_many, calm),) = one.rows(PROBES_TOO_MANY, since)
        probes = one.rows("SELECT count(*) FROM probe_result")[0][0]
        incidents = one.rows("SELECT count(*) FROM incident")[0][0]
        heals = one.rows("SELECT count(*) FROM incident_event WHERE signal = 'heal_started'")[0][0]
        if too_many:
            broken.append(f"{too_many} probes more than the intervals of {calm} endpoints allow")
    return [
        Outcome(
            "Two installations on one database, daemons killed in between", len(faults),
            requests=sum(each.asked for each in readers),
            reader_errors=sum(each.errors for each in readers),
            events_lost=facts.lost, events_doubled=facts.doubled, normal_after_s=round(quiet_s, 1),
            seen={"incidents": incidents, "heals begun": heals, "messages sent": sent,
                  "probes": probes, "probes too many": too_many, "endpoints of that count": calm,
                  "runs that found their incident taken": len(extra),
                  "connections cut, repeated": sum(each.cut for each in readers)},
            broken=tuple(broken),
        )
    ]  # fmt: skip


@contextmanager
def _stack(
    folder: Path, address: DatabaseAddress, post: HttpServer, say: Say
) -> Iterator[OneOfTwo]:
    """One of the two, ready; gone at the end."""
    base = _free_block()
    folder.mkdir()
    for file in ("dagster.yaml", "workspace.yaml"):
        (folder / file).write_text((ROOT / file).read_text())
    write_config(folder / "config", base, ALERTS)
    (folder / "quiet.yaml").write_text(SCENARIO.format(requests_per_s=0.2))
    environ = environment(
        ROOT,
        **{
            STATE_DIR_VARIABLE: str(folder / "state"),
            URL_VARIABLE: address.url,
            OWNER_URL_VARIABLE: address.owner_url,
            DAGSTER_URL_VARIABLE: address.dagster_url,
            CHANNEL: f"json://127.0.0.1:{post.port}/alerts",
        },
    )
    with (folder / "up.log").open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "healing_pipeline", "up", "--scenario=quiet.yaml"),
                *(f"--port={base - 1}", f"--gateway-port={base - 2}"),
            ],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    stack = OneOfTwo(folder, process, [base - 1, base - 2, base])
    stack.address = address
    try:
        _until(
            lambda: stack.check() or "Ctrl-C stops" in stack.log.read_text(),
            READY_WITHIN_S,
            f"{folder.name} started: {stack.log}",
        )
        say(f"stack {folder.name} is up")
        yield stack
    finally:
        if process.poll() is None:
            stack.stop()
        for each in stack.processes():
            with suppress(psutil.Error):
                each.kill()


def _play(
    both: list[OneOfTwo],
    name: str,
    fault: dict[str, object],
    seconds: float,
    killed: OneOfTwo | None,
    say: Say,
) -> None:
    for each in both:
        each.simulator.add_fault(fault)
    until = time.monotonic() + seconds
    if killed is not None:
        time.sleep(seconds / 4)
        pid = killed.pid_of("daemon")
        if pid is not None:
            os.kill(pid, 9)
    time.sleep(max(0.0, until - time.monotonic()))
    for each in both:
        each.simulator.clear_faults()
        each.check()
    opened = both[0].rows("SELECT count(*) FROM incident")[0][0]
    say(f"{name}{', a daemon killed' if killed else ''}: {opened} incidents by now")


def _quiet(stack: OneOfTwo, say: Say) -> float:
    """Wait until nothing is wrong and nothing is to be told any more; how long that took."""
    began = time.monotonic()

    def is_quiet() -> bool:
        waiting = stack.rows(
            "SELECT (SELECT count(*) FROM incident WHERE state <> 'resolved')"
            " + (SELECT count(*) FROM alert_group WHERE resolved_at IS NULL)"
            " + (SELECT count(*) FROM delivery WHERE state = 'pending')"
        )
        return waiting == [(0,)]

    with suppress(RuntimeError):
        _until(is_quiet, QUIET_WITHIN_S, "all is well and told")
    say(f"quiet after {time.monotonic() - began:.0f} s")
    return time.monotonic() - began


def _messages(stack: OneOfTwo, post: HttpServer) -> tuple[list[str], int]:
    """What the channel took against what it was to be sent."""
    taken: Counter[int] = Counter(int(each.json["alert_id"]) for each in list(post.requests))
    due: dict[int, str] = dict(
        stack.rows("SELECT alert_id, state FROM delivery WHERE channel = 'trial'")
    )
    broken = [f"message {each} came {count} times" for each, count in taken.items() if count > 1]
    broken += [
        f"message {each} is {state} and never came"
        for each, state in due.items()
        if state != "merged" and each not in taken
    ]
    broken += [f"message {each} came and is on no record" for each in taken if each not in due]
    fired: list[Any] = stack.rows(
        "SELECT group_id, count(*) FROM alert WHERE kind = 'fired' GROUP BY 1 HAVING count(*) > 1"
    )
    broken += [f"group {group} fired {count} times" for group, count in fired]
    return broken, sum(taken.values())


def _until(holds: Callable[[], object], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.3)
