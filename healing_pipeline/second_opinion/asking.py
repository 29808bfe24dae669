"""One question to the configured service, within its time, and its answer checked and priced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from healing_pipeline.second_opinion.advice import Advice, read_advice
from healing_pipeline.second_opinion.price import cost_usd
from healing_pipeline.second_opinion.question import Question
from healing_pipeline.second_opinion.reply import UNBILLED, Outcome, Reply, Said
from healing_pipeline.second_opinion.settings import SecondOpinionSettings, Service

INSTALL = "pip install 'healing-pipeline[second-opinion]'"

Call = Callable[[SecondOpinionSettings, str, Question, float], Awaitable[Said]]


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
    service = _loaded(settings.service)
    left_s = timeout_s - (monotonic() - began)
    is_sent = service is not None and left_s > 0
    if service is None:
        said = Said(Outcome.NOT_INSTALLED, reason=f"the SDK is not installed: {INSTALL}")
    elif left_s <= 0:
        said = Said(Outcome.TIMEOUT, reason=f"importing the SDK took all of {timeout_s:.1f} s")
    else:
        try:
            async with asyncio.timeout(left_s):
                said = await service(settings, api_key, question, left_s)
        except TimeoutError:
            said = Said(Outcome.TIMEOUT, reason=f"no answer within {timeout_s:.1f} s")
    seconds = monotonic() - began
    cost = None
    if said.tokens is not None:
        cost = cost_usd(said.tokens, settings.prices)
    elif said.outcome in UNBILLED or not is_sent:
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


def _loaded(service: Service) -> Call | None:
    """What asks a service, with its SDK imported; None where that is not installed."""
    try:
        if service is Service.ANTHROPIC:
            import anthropic  # noqa: F401 (takes a second or more, so that its time is known)

            from healing_pipeline.second_opinion.services.anthropic import ask as ask_service
        else:
            import openai  # noqa: F401

            from healing_pipeline.second_opinion.services.openai import ask as ask_service
    except ImportError:
        return None
    return ask_service
