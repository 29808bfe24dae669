"""One question to the configured service, within its time, and its answer checked and priced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from healing_pipeline.second_opinion.advice import Advice, read_advice
from healing_pipeline.second_opinion.price import cost_usd
from healing_pipeline.second_opinion.question import Question
from healing_pipeline.second_opinion.reply import UNBILLED, Outcome, Reply, Said
from healing_pipeline.second_opinion.settings import SecondOpinionSettings, Service


async def ask(
    settings: SecondOpinionSettings,
    api_key: str,
    question: Question,
    timeout_s: float,
    monotonic: Callable[[], float],
) -> Reply:
    """Ask once, and take the answer whole or not at all; never raises for the service's faults.

    Parameters
    ----------
    timeout_s : float
        Over everything: importing the SDK, connecting, and the last byte of the answer.
    """
    began = monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            said = await _call(settings, api_key, question, timeout_s)
    except TimeoutError:
        said = Said(Outcome.TIMEOUT, reason=f"no answer within {timeout_s:.1f} s")
    seconds = monotonic() - began
    cost = None
    if said.tokens is not None:
        cost = cost_usd(said.tokens, settings.prices)
    elif said.outcome in UNBILLED:
        cost = 0.0
    outcome, reason, advice = said.outcome, said.reason, None
    if outcome is Outcome.ADVICE:
        read = read_advice(said.text, question.choices)
        if isinstance(read, Advice):
            advice = read
        else:
            outcome, reason = Outcome.REFUSED, read.reason
    return Reply(
        outcome=outcome,
        seconds=seconds,
        advice=advice,
        reason=reason,
        tokens=said.tokens,
        cost_usd=cost,
        retry_after_s=said.retry_after_s,
    )


async def _call(
    settings: SecondOpinionSettings, api_key: str, question: Question, timeout_s: float
) -> Said:
    try:
        if settings.service is Service.ANTHROPIC:
            from healing_pipeline.second_opinion.services.anthropic import ask as ask_service
        else:
            from healing_pipeline.second_opinion.services.openai import ask as ask_service
        return await ask_service(settings, api_key, question, timeout_s)
    except ImportError:
        return Said(
            Outcome.NOT_INSTALLED,
            reason="the SDK is not installed: pip install 'healing-pipeline[second-opinion]'",
        )
