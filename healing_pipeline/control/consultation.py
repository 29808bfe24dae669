"""A second opinion that is on its way: waited for until its time is over, and no longer."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from healing_pipeline.second_opinion.advice import Advice, Refused, read_advice
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.second_opinions import HeldBack, Wish, shared_answer

# How often it is looked whether the question of another part was answered.
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is out.

    Attributes
    ----------
    until : float
        Monotonic seconds: nobody waits longer.
    """

    call_id: int
    choices: tuple[str, ...]
    process: subprocess.Popen[bytes]
    until: float

    def advice(self) -> Advice | HeldBack:
        """What was advised, waited for until its time is over; or why there is nothing."""
        try:
            line = self._line()
        finally:
            self.leave()
        if line is None:
            return HeldBack("no answer in time")
        try:
            told = json.loads(line)
            written = told["advice"]
        except (ValueError, KeyError, TypeError):
            return HeldBack("the process that asked ended without a word")
        if written is None:
            return HeldBack(f"{told.get('outcome')}: {told.get('reason')}")
        return advice_of(written, self.choices)

    def wait(self, timeout_s: float) -> None:
        """Wait until it is on record, so many seconds at most."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)

    def leave(self) -> None:
        """Wait no longer; the answer goes on record all the same."""
        assert self.process.stdout is not None, "the process was started with a pipe"
        self.process.stdout.close()

    def _line(self) -> bytes | None:
        stream = self.process.stdout
        assert stream is not None, "the process was started with a pipe"
        got = b""
        while not got.endswith(b"\n"):
            left = self.until - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                return None
            more = os.read(stream.fileno(), 65536)
            if not more:
                return got
            got += more
        return got


@dataclass(frozen=True, slots=True)
class Shared:
    """The question of another part of the same incident, which is out.

    Attributes
    ----------
    until : float
        Monotonic seconds: nobody waits longer.
    """

    database: Database
    wish: Wish
    asked_at: datetime
    choices: tuple[str, ...]
    until: float

    def advice(self) -> Advice | HeldBack:
        """What was advised, waited for until its time is over; or why there is nothing."""
        while True:
            with self.database.connection() as connection:
                told = shared_answer(connection, self.wish, self.asked_at)
            if told.advice is not None:
                return shared_advice(told.advice, self.choices)
            if not told.is_under_way or time.monotonic() > self.until:
                return told
            time.sleep(LOOK_EVERY_S)

    def leave(self) -> None:
        """Wait no longer; it is not ours."""


def advice_of(written: Mapping[str, Any], choices: Sequence[str]) -> Advice | HeldBack:
    """Advice as it came out of JSON, checked once more."""
    read = read_advice(json.dumps(written), choices)
    return HeldBack(read.reason) if isinstance(read, Refused) else read


def shared_advice(written: Mapping[str, Any], choices: Sequence[str]) -> Advice | HeldBack:
    """Advice for another part of the same incident: what of it this part's plan has.

    It was checked against the plan that it was asked for; parts that fail otherwise have others.
    """
    read = advice_of(written, list(written["order"]))
    if isinstance(read, HeldBack):
        return read
    order = tuple(each for each in read.order if each in choices)
    if read.order and not order:
        return HeldBack("what was advised for another part of it is not in this plan")
    return replace(read, order=order)
