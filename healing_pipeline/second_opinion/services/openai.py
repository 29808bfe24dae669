"""Chat completions, by OpenAI's own SDK: theirs, and every server that speaks like them."""

from __future__ import annotations

from typing import Any

from healing_pipeline.second_opinion.price import MOST_OUTPUT_TOKENS, Tokens, tokens_of
from healing_pipeline.second_opinion.question import Question
from healing_pipeline.second_opinion.reply import Outcome, Said
from healing_pipeline.second_opinion.service_failures import of_failure, of_status
from healing_pipeline.second_opinion.settings import SecondOpinionSettings

# Their own newer models take no other name for it; other servers know the old one.
THEIR_OWN = "https://api.openai.com/"


async def ask(
    settings: SecondOpinionSettings, api_key: str, question: Question, timeout_s: float
) -> Said:
    """Ask once; whatever the service does is a value."""
    import openai

    limit = "max_completion_tokens" if settings.base_url.startswith(THEIR_OWN) else "max_tokens"
    async with (
        # It follows nobody elsewhere: whoever answers there was not configured.
        openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout_s) as http,
        openai.AsyncOpenAI(
            # The SDK wants one where the server does not.
            api_key=api_key or "none",
            base_url=settings.base_url,
            timeout=timeout_s,
            max_retries=0,
            http_client=http,
        ) as service,
    ):
        asked: dict[str, Any] = {
            "model": settings.model,
            limit: MOST_OUTPUT_TOKENS,
            "messages": [
                {"role": "system", "content": question.system},
                {"role": "user", "content": question.user},
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "advice", "strict": True, "schema": question.schema},
            },
        }
        try:
            completion = await service.chat.completions.create(**asked)
        except openai.APIStatusError as error:
            return of_status(error.status_code, error.response.headers)
        except Exception as error:
            return of_failure(error)
    return _said(completion)


def _said(completion: Any) -> Said:
    """A completion as it came: the SDK does not hold it to its types."""
    tokens = _tokens(getattr(completion, "usage", None))
    choices = getattr(completion, "choices", None)
    if not isinstance(choices, list) or not choices:
        return Said(Outcome.REFUSED, tokens=tokens, reason="no message came back")
    message = getattr(choices[0], "message", None)
    stopped = getattr(choices[0], "finish_reason", None)
    if getattr(message, "refusal", None) or stopped == "content_filter":
        return Said(Outcome.DECLINED, tokens=tokens, reason="the model declined to answer")
    if stopped == "length":
        cut = f"cut off after {MOST_OUTPUT_TOKENS} tokens"
        return Said(Outcome.REFUSED, tokens=tokens, reason=cut)
    text = getattr(message, "content", None)
    if not isinstance(text, str):
        return Said(Outcome.REFUSED, tokens=tokens, reason="no text came back")
    return Said(Outcome.ADVICE, text, tokens)


def _tokens(usage: Any) -> Tokens | None:
    """Cached tokens are counted among the prompt's: they are taken apart here."""
    if usage is None:
        return None
    detail = getattr(usage, "prompt_tokens_details", None)
    counted = tokens_of(
        getattr(usage, "prompt_tokens", None),
        getattr(usage, "completion_tokens", None),
        getattr(detail, "cache_write_tokens", None),
        getattr(detail, "cached_tokens", None),
    )
    if counted is None:
        return None
    plain = counted.input - counted.cache_write - counted.cache_read
    return tokens_of(plain, counted.output, counted.cache_write, counted.cache_read)
