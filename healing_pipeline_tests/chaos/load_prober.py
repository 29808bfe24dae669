"""The control path of the load trial as one process: what Dagster's sensors and heal runs call.

``python -m healing_pipeline_tests.chaos.load_prober FILE``. A thread a source stands for its
sensor: it stays at its `Lookout` for as long as a tick and hands on what is to be healed. Heal runs
do in this process what the job `heal_endpoint` does, no more of them a second than Dagster gets
done. Ends with its input; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue
from random import Random
from typing import Any

from healing_pipeline.control import heal_run
from healing_pipeline.control.diagnosing import causes_at
from healing_pipeline.control.look import HealRequest, Look
from healing_pipeline.control.lookout import STAY_S, Lookout
from healing_pipeline.control.settling import settle
from healing_pipeline.control.watching import Watcher
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.facts import Fact, ProbeResult
from healing_pipeline.installation import allowed_hosts
from healing_pipeline.session import Session, open_session
from healing_pipeline.storage.probes import seed_schedule
from healing_pipeline.transport.reaching import Reach
from healing_pipeline_tests.chaos.load_readers import share

# What a machine of two cores gets done with Dagster's own runs.
HEALS_PER_S = 2.0


class CountingWatcher(Watcher):
    """A watcher that keeps what its looks say of their punctuality, from a moment on."""

    counts_from = 0.0

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.lags_s: list[float] = []
        self.looks: Counter[str] = Counter()

    async def look(self, source: str, **options: Any) -> Look:
        """Look, and count."""
        began = time.time()
        look = await super().look(source, **options)
        if began >= self.counts_from:
            self.lags_s += look.lags_s
            self.looks["looks"] += 1
            self.looks["probed"] += look.probed
            self.looks["bad"] += look.bad
        return look


class Prober:
    """Sensors and heal runs of one session."""

    def __init__(self, session: Session, counts_from: float) -> None:
        self._session = session
        self._stopped = threading.Event()
        self._requests: Queue[HealRequest] = Queue()
        self.recorded = 0
        self.heals: Counter[str] = Counter()
        self.errors: list[str] = []
        self.watcher = CountingWatcher(
            session.catalog,
            session.engine,
            session.database,
            self._record,
            session.clock,
            Reach(allowed_hosts(session.catalog)),
        )
        self.watcher.counts_from = counts_from
        endpoints = session.catalog.endpoints
        self._lookout = Lookout(
            self.watcher,
            session.database,
            session.clock,
            start=session.begin,
            name_of=lambda name: endpoints[name].source if name in endpoints else None,
            workers=len(session.catalog.sources) + 8,
        )

    def run(self) -> None:
        """Watch and heal until the input ends."""
        self._lookout.start()
        threads = [
            threading.Thread(target=self._watch, args=(each,)) for each in
            self._session.catalog.sources
        ]  # fmt: skip
        threads.append(threading.Thread(target=self._heal_on))
        for each in threads:
            each.start()
        sys.stdin.read()
        self._stopped.set()
        for each in threads:
            each.join()
        self._lookout.close()
        self._session.call(self.watcher.aclose)

    def _record(self, fact: Fact) -> None:
        self.recorded += isinstance(fact, ProbeResult)
        self._session.recorder.record(fact)

    def _watch(self, source: str) -> None:
        asked: set[int] = set()
        while not self._stopped.is_set():
            try:
                watch = self._lookout.watch(source, STAY_S, asked.__contains__)
            except Exception as error:
                self.errors.append(f"{source}: {type(error).__name__}: {error}"[:300])
                self._stopped.wait(1.0)
                continue
            for each in watch.requests:
                asked.add(each.heal.event_id)
                self._requests.put(each.heal)

    def _heal_on(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                request = self._requests.get(timeout=0.2)
            except Empty:
                continue
            try:
                self.heals[self._heal(request)] += 1
            except Exception as error:
                self.errors.append(f"heal: {type(error).__name__}: {error}"[:300])
            self._stopped.wait(max(0.0, 1 / HEALS_PER_S - (time.monotonic() - began)))
        self.heals["left_waiting"] = self._requests.qsize()

    def _heal(self, request: HealRequest) -> str:
        session, now = self._session, self._session.clock.now
        with session.database.connection() as connection:
            taken = heal_run.take(connection, request.incident_id, now())
        if taken is None:
            return "over_before"
        with session.database.connection() as connection:
            found = causes_at(connection, session.catalog, taken.source, now())
        diagnosis = heal_run.diagnosed(session.engine, taken, found)
        last = session.engine.last_good(taken.endpoint)
        end = session.call(heal_run.healed, session.engine, taken)
        checks: tuple[Any, ...] = ()
        if isinstance(end, Answer):
            provider = session.engine.provider_of(taken.endpoint)
            before = None if last is None else last.reading
            checks = heal_run.verified(session.catalog, provider, end, before, now())
        with session.database.connection() as connection:
            again = heal_run.diagnosed_again(connection, session.catalog, taken, diagnosis, now())
        with session.database.connection() as connection:
            settled = settle(connection, taken, again, end, checks, now(), catalog=session.catalog)
        return str(settled.state)


def main(settings: Mapping[str, Any]) -> None:
    """Watch, and tell."""
    with ExitStack() as stack:
        session = open_session(stack, Path(settings["config"]), os.environ)
        with session.database.connection() as connection:
            spread = Random(settings["seed"]).random
            seed_schedule(
                connection, session.catalog.endpoints.values(), session.clock.now(), spread
            )
        prober = Prober(session, float(settings["counts_from"]))
        print("ready", flush=True)
        prober.run()
        session.recorder.flush(30.0)
        counters = session.recorder.counters
    lags = sorted(prober.watcher.lags_s)
    told = {
        **prober.watcher.looks,
        "lag_p50_s": share(lags, 0.5),
        "lag_p99_s": share(lags, 0.99),
        "lag_max_s": share(lags, 1.0),
        "probes_recorded": prober.recorded,
        "heals": prober.heals,
        "dropped": counters.dropped,
        "spooled": counters.spooled,
        "errors": prober.errors[:10],
        "error_count": len(prober.errors),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
