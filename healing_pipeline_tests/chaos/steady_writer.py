"""A writer of facts that goes on whatever else is done, and how long each of its batches took."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import uuid4

from healing_pipeline.healing.facts import AnswerFact, Attempt, Fact
from healing_pipeline.storage.fact_store import FactStore

ENDPOINT = "yahoo/writer"
BATCH, PAUSE_S = 25, 0.05


class SteadyWriter:
    """Stores a batch of attempts and answers every moment, by the recorder's own statements."""

    def __init__(self, url: str) -> None:
        self.stored = 0  # of attempts, and as many answers
        self._store = FactStore(url)
        self._stop = threading.Event()
        self._took: list[float] = []
        self._thread = threading.Thread(target=self._write, daemon=True)

    def taken(self) -> Sequence[float]:
        """Seconds of each batch since the last call."""
        took, self._took = self._took, []
        return took

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._store.close()

    def _write(self) -> None:
        while not self._stop.wait(PAUSE_S):
            facts = [each for _ in range(BATCH) for each in _request(datetime.now(UTC))]
            began = time.perf_counter()
            self._store.store(facts)
            self._took.append(time.perf_counter() - began)
            self.stored += BATCH


def _request(at: datetime) -> tuple[Fact, Fact]:
    number = uuid4()
    attempt = Attempt(
        id=uuid4(),
        request_id=number,
        attempt_no=1,
        at=at,
        origin="reader",
        source="yahoo",
        endpoint=ENDPOINT,
        strategy="plain",
        host="query1",
        key_name=None,
        failure_class="ok",
        evidence="status 200",
        healed=False,
        fidelity=None,
        seconds=0.1,
        status=200,
        upstream_calls=1,
    )
    answer = AnswerFact(
        request_id=number,
        at=at,
        source="yahoo",
        endpoint=ENDPOINT,
        fidelity="exact",
        strategy="plain",
        provider="yahoo",
        attempts=1,
        seconds=0.1,
        failure_class=None,
        failed=False,
        as_of=at,
    )
    return attempt, answer
