"""Readers of a stack that is being broken, each keeping an account of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import httpx

from healing_pipeline.client import AsyncHealingClient
from healing_pipeline.healing.answer import Answer

# A reader whose connection was cut asks the same once more, when somebody answers again.
REPEATS_WITHIN_S = 60.0


class GatewayReaders:
    """Readers over HTTP: a connection that a kill cuts is theirs to repeat.

    Attributes
    ----------
    answered : list of str
        The request id of every answer that was received.
    asked, cut, errors : int
        Questions; connections that broke or were refused; questions that had no answer when they
        were repeated though there had been one before.
    nothing_known : int
        Questions without an answer that never had one: nothing could be fallen back on.
    """

    def __init__(self, url: str, endpoints: Sequence[str], rate: float, rng: Random) -> None:
        self.answered: list[str] = []
        self.asked = self.cut = self.errors = self.nothing_known = 0
        self._known: set[str] = set()
        self.why: Counter[str] = Counter()
        self._url, self._endpoints, self._rate, self._rng = url, endpoints, rate, rng
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(REPEATS_WITHIN_S + 10)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=15.0, trust_env=False) as client:
            while not self._stopped.wait(self._rng.expovariate(self._rate)):
                self._ask(client, self._rng.choice(self._endpoints))

    def _ask(self, client: httpx.Client, endpoint: str) -> None:
        self.asked += 1
        until, was_cut = time.monotonic() + REPEATS_WITHIN_S, False
        while True:
            try:
                response = client.get(f"/v1/{endpoint}")
            except httpx.TransportError as error:
                self.cut += not was_cut
                was_cut = True
                if time.monotonic() > until:
                    self._wrong(f"{type(error).__name__} for {REPEATS_WITHIN_S:.0f} s")
                    return
                time.sleep(0.1)
                continue
            # That there is no answer is an answer too, and is on record as well.
            if "x-healing-request-id" in response.headers:
                self.answered.append(response.headers["x-healing-request-id"])
            if response.is_success:
                self._known.add(endpoint)
            elif endpoint in self._known:
                self._wrong(f"{endpoint}: {response.status_code} {response.text[:200]}")
            else:
                self.nothing_known += 1
            return

    def _wrong(self, what: str) -> None:
        self.errors += 1
        self.why[what] += 1


class ReadersInProcess:
    """Readers through the data path of this very process, with a state folder of its own."""

    def __init__(self, config: Path, environ: Mapping[str, str], rate: float, rng: Random) -> None:
        self.answered: list[str] = []
        self.asked = self.errors = self.nothing_known = 0
        self.longest_s = 0.0
        self._known: set[str] = set()
        self.why: Counter[str] = Counter()
        self._config, self._environ, self._rate, self._rng = config, environ, rate, rng
        self._stopped = threading.Event()
        self.ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.ready.wait(60)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(60)

    async def _run(self) -> None:
        async with AsyncHealingClient(self._config, self._environ) as client:
            # A website that is up has shown every page before.
            await asyncio.gather(*(self._ask(client, each) for each in client.endpoints))
            self.ready.set()
            asking: set[asyncio.Task[None]] = set()
            while not self._stopped.is_set():
                task = asyncio.create_task(self._ask(client, self._rng.choice(client.endpoints)))
                asking.add(task)
                task.add_done_callback(asking.discard)
                await asyncio.sleep(self._rng.expovariate(self._rate))
            await asyncio.gather(*asking)
            await client.flush(30.0)

    async def _ask(self, client: AsyncHealingClient, endpoint: str) -> None:
        self.asked += 1
        began = time.monotonic()
        try:
            end = await client.fetch(endpoint)
        except Exception as error:
            self.errors += 1
            self.why[f"{endpoint}: {type(error).__name__}: {error}"] += 1
            return
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.answered.append(str(end.request_id))
        if isinstance(end, Answer):
            self._known.add(endpoint)
        elif endpoint not in self._known:
            self.nothing_known += 1
        else:
            self.errors += 1
            self.why[f"{endpoint}: {end.verdict.evidence}"] += 1
