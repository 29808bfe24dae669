"""Thousands of requests generated from the gateway's own OpenAPI page, and its answers checked.

A gateway process, its database and simulated upstreams run as they do for users, a third of the
upstreams' answers failing. Every operation of the page is asked with requests that its schemas
allow and with such that they do not. Each answer has to have a status, a content type, headers and
a body that the page documents; none may be a fault of ours. That data cannot be healed (502, 504)
or the database is away (503) is documented, and no fault.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from healing_pipeline.simulator.control import running_simulator
from healing_pipeline_tests.chaos.one_gateway import ROOT, environment, one_gateway, write_config
from healing_pipeline_tests.chaos.openapi_cases import played
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.own_server import OwnServer

EXAMPLES, QUICK_EXAMPLES = 40, 2
# More than any client should ask at once: what is tried is the page, not the limit.
UNLIMITED = "gateway: {requests_per_s: 100000, burst: 1000000}"
FAILING = {"match": {"share": 0.33}, "fault": "server_error"}


def run(seed: int, quick: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Ask every operation, twice as many times as the examples."""
    from schemathesis import openapi

    folder = Path(tempfile.mkdtemp(prefix="openapi-"))
    try:
        server = OwnServer(folder / "postgres")
        try:
            with running_simulator(seed=seed, quotas="off") as simulator:
                simulator.control.add_fault(FAILING)
                config = write_config(folder, simulator.base_port)
                text = re.sub(r"(?m)^gateway: .*$", UNLIMITED, config.read_text(encoding="utf-8"))
                assert UNLIMITED in text
                config.write_text(text, encoding="utf-8")
                environ = environment(ROOT, HEALING_DATABASE_URL=server.url)
                with one_gateway(ROOT, config, folder, environ) as gateway:
                    schema = openapi.from_url(f"{gateway.url}/openapi.json")
                    cases = played(schema, QUICK_EXAMPLES if quick else EXAMPLES, seed)
                    log = gateway.log.read_text(encoding="utf-8", errors="replace")
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(cases.statuses.items()))
    say(f"{cases.requests:,} requests to {cases.operations} operations; {statuses}")
    broken = [f"{kind}: {first}" for kind, first in cases.failures.items()]
    if "Traceback" in log:
        broken.append(f"the gateway's log: {log[log.index('Traceback') :][:1500]}")
    return [
        Outcome(
            fault="requests made from the OpenAPI page, a third of the upstreams failing",
            times=cases.requests,
            seen={"operations": cases.operations, "answers by status": statuses},
            broken=tuple(broken),
        )
    ]
