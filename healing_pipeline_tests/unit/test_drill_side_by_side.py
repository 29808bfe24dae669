"""What goes on beside a drill's readers: it ends together, and an error stays what it is."""

from __future__ import annotations

import asyncio

import pytest

from healing_pipeline.drill.playing import side_by_side
from healing_pipeline.errors import HealingPipelineError


def test_the_error_of_one_ends_the_others_and_is_raised_as_itself():
    ended = []

    async def lasts() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("lasts")

    async def breaks() -> None:
        await asyncio.sleep(0)
        raise HealingPipelineError("code_server stopped by itself")

    with pytest.raises(HealingPipelineError, match="code_server stopped"):
        asyncio.run(side_by_side(lasts(), breaks()))
    assert ended == ["lasts"]


def test_who_cancels_it_waits_for_what_each_has_begun():
    ended = []

    async def lasts(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append(name)

    async def play() -> None:
        beside = asyncio.create_task(side_by_side(lasts("a"), lasts("b")))
        await asyncio.sleep(0.01)
        beside.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beside

    asyncio.run(play())
    assert sorted(ended) == ["a", "b"]


def test_what_goes_wrong_while_it_is_being_ended_is_not_hidden():
    async def breaks_last() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise HealingPipelineError("the last heal run was lost")

    async def play() -> None:
        beside = asyncio.create_task(side_by_side(asyncio.sleep(60), breaks_last()))
        await asyncio.sleep(0.01)
        beside.cancel()
        await beside

    with pytest.raises(HealingPipelineError, match="last heal run"):
        asyncio.run(play())
