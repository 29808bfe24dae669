"""Questions that are asked together: one call for many readers, where a provider can answer so.

Whoever comes first opens a batch and waits a moment for others; the call then runs as a task of its
own, so that a reader who gives up takes nobody with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from healing_pipeline.healing.strategy import Observation, Situation
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.provider import Asked

AskOnce = Callable[[Asked], Awaitable[Observation]]
"""Sends one question, of whichever path and parameters, and judges the whole answer."""


@dataclass(slots=True)
class _Batch:
    size: int
    questions: list[Asked] = field(default_factory=list)
    answer: asyncio.Future[Observation] | None = None


class Batches:
    """The batches that are open now, by what can be asked together."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, ...], _Batch] = {}
        self._under_way: set[asyncio.Task[Any]] = set()

    async def ask(
        self,
        situation: Situation,
        ask: AskOnce,
        sleep: Callable[[float], Awaitable[None]],
        window_s: float,
        size: int,
    ) -> tuple[Observation, bool]:
        """Ask a question together with others of its kind.

        Parameters
        ----------
        ask : callable
            Sends the merged question; the first one in is the one that is used.
        window_s : float
            How long the first one waits for others.
        size : int
            Most questions in one call.

        Returns
        -------
        tuple of Observation and bool
            The part that answers this question, and whether this request made the call.
        """
        question = situation.asked
        kind = situation.provider.subject(*question)[:1]
        key = (situation.endpoint.source, situation.host.name, *kind)
        batch = self._open.get(key)
        leads = batch is None or not _fits(situation, batch, question)
        if batch is None or leads:
            batch = self._open[key] = _Batch(size)
            batch.answer = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._send(key, batch, situation, ask, sleep, window_s))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        batch.questions.append(question)
        assert batch.answer is not None, "a batch is made with its future"
        seen = await asyncio.shield(batch.answer)
        return _part_of(seen, situation, question), leads

    async def _send(
        self,
        key: tuple[str, ...],
        batch: _Batch,
        situation: Situation,
        ask: AskOnce,
        sleep: Callable[[float], Awaitable[None]],
        window_s: float,
    ) -> None:
        assert batch.answer is not None, "a batch is made with its future"
        try:
            await sleep(window_s)
            if self._open.get(key) is batch:
                del self._open[key]
            merged = _merged(situation, batch.questions)
            assert merged is not None, "only questions that can be merged came in"
            batch.answer.set_result(await ask(merged))
        except BaseException as exc:
            if not batch.answer.done():
                batch.answer.set_exception(exc)
                batch.answer.exception()  # nobody may be waiting any more
            raise


def _merged(situation: Situation, questions: Sequence[Asked]) -> Asked | None:
    return questions[0] if len(questions) == 1 else situation.provider.merged(questions)


def _fits(situation: Situation, batch: _Batch, question: Asked) -> bool:
    return (
        len(batch.questions) < batch.size
        and _merged(situation, [*batch.questions, question]) is not None
    )


def _part_of(seen: Observation, situation: Situation, question: Asked) -> Observation:
    if seen.reading is None:
        return seen
    line = seen.request.line
    own = situation.request().line
    if (line.path, dict(line.params)) == (own.path, dict(own.params)):
        return seen
    part = situation.provider.part(seen.reading, *question)
    if part is None:
        verdict = Verdict(FailureClass.EMPTY, "the merged answer holds nothing of this question")
        return Observation(seen.request, seen.response, verdict, None)
    return Observation(seen.request, seen.response, seen.verdict, part)
