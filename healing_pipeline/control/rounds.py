"""The examinations of one source that are under way, and what came of them so far.

A look ends before they all have when one of them hangs: the rest goes on, is stored as it comes,
and is counted by the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from healing_pipeline.control.examining import Finding
from healing_pipeline.incidents.detection import Begin, Move


class Round:
    """The examinations of one source."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Finding]] = {}
        self._ended: list[Finding] = []
        self._error: BaseException | None = None
        self._changed = asyncio.Event()
        self._asks_heal = False

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._tasks

    def begin(self, endpoint: str, examination: Coroutine[Any, Any, Finding]) -> None:
        """Begin an examination of an endpoint, of which none is under way."""
        task = asyncio.create_task(examination)
        self._tasks[endpoint] = task
        task.add_done_callback(lambda done: self._end(endpoint, done))

    async def wait(self, at_most_s: float, once_asked_s: float) -> None:
        """Wait for all examinations, `at_most_s`; less once one of them asks for a heal run."""
        loop = asyncio.get_running_loop()
        until = loop.time() + at_most_s
        was_asked = False
        while self._tasks and self._error is None:
            if self._asks_heal and not was_asked:
                was_asked, until = True, min(until, loop.time() + once_asked_s)
            self._changed.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._changed.wait()
            except TimeoutError:
                return

    def harvest(self) -> list[Finding]:
        """What ended since the last harvest.

        Raises
        ------
        Exception
            The first that one of them ended with: a fault of ours, never of an endpoint.
        """
        ended, self._ended = self._ended, []
        error, self._error, self._asks_heal = self._error, None, False
        if error is not None:
            raise error
        return ended

    async def aclose(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, endpoint: str, task: asyncio.Task[Finding]) -> None:
        del self._tasks[endpoint]
        if not task.cancelled():
            if (error := task.exception()) is not None:
                self._error = self._error or error
            else:
                finding = task.result()
                self._ended.append(finding)
                if isinstance(finding.step, Begin | Move) and finding.step.asks_heal:
                    self._asks_heal = True
        # Waking whoever waits for all of them at each end would be most of a look's work.
        if not self._tasks or self._asks_heal or self._error is not None:
            self._changed.set()
