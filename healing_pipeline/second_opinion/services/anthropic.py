"""The Messages API, by Anthropic's own SDK."""

from __future__ import annotations

from typing import Any

from healing_pipeline.second_opinion.price import MOST_OUTPUT_TOKENS, tokens_of
from healing_pipeline.second_opinion.question import Question
from healing_pipeline.second_opinion.reply import Outcome, Said
from healing_pipeline.second_opinion.service_failures import of_failure, of_status
from healing_pipeline.second_opinion.settings import SecondOpinionSettings


async def ask(
    settings: SecondOpinionSettings, api_key: str, question: Question, timeout_s: float
) -> Said:
    """Ask once; whatever the service does is a value."""
    import anthropic

    async with (
        # It follows nobody elsewhere: whoever answers there was not configured.
        anthropic.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout_s) as http,
        anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=settings.base_url,
            timeout=timeout_s,
            max_retries=0,
            http_client=http,
        ) as service,
    ):
        try:
            message = await service.messages.create(
                model=settings.model,
                max_tokens=MOST_OUTPUT_TOKENS,
                # The constant part is kept by the service for the next question.
                system=[
                    {
                        "type": "text",
                        "text": question.system,
                        "cache_control": {"type": "ephemeral"},
                    }
                ],
                messages=[{"role": "user", "content": question.user}],
                output_config={"format": {"type": "json_schema", "schema": question.schema}},
            )
        except anthropic.APIStatusError as error:
            return of_status(error.status_code, error.response.headers)
        except Exception as error:
            return of_failure(error)
    return _said(message)


def _said(message: Any) -> Said:
    """A message as it came: the SDK does not hold it to its types."""
    usage = getattr(message, "usage", None)
    tokens = None
    if usage is not None:
        tokens = tokens_of(
            getattr(usage, "input_tokens", None),
            getattr(usage, "output_tokens", None),
            getattr(usage, "cache_creation_input_tokens", None),
            getattr(usage, "cache_read_input_tokens", None),
        )
    stopped = getattr(message, "stop_reason", None)
    content = getattr(message, "content", None)
    if stopped == "refusal":
        return Said(Outcome.DECLINED, tokens=tokens, reason="the model declined to answer")
    if stopped == "max_tokens":
        cut = f"cut off after {MOST_OUTPUT_TOKENS} tokens"
        return Said(Outcome.REFUSED, tokens=tokens, reason=cut)
    if not isinstance(content, list):
        return Said(Outcome.REFUSED, tokens=tokens, reason="no message came back")
    texts = [
        each.text
        for each in content
        if getattr(each, "type", None) == "text" and isinstance(getattr(each, "text", None), str)
    ]
    return Said(Outcome.ADVICE, "".join(texts), tokens)
