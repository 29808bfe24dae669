"""What a question costs: at most, before it is sent, and in fact, by what was counted."""

from __future__ import annotations

from dataclasses import dataclass

from healing_pipeline.second_opinion.settings import Prices

# An answer is a few lines; models that think before they write are cut off, and that is told.
MOST_OUTPUT_TOKENS = 1000
# What services add to a question of their own: the form of messages, the schema's frame.
OVERHEAD_TOKENS = 2000
_MILLION = 1_000_000
_MOST_COUNTED = 100 * _MILLION


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a service counted, each kind by itself."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0


def cost_usd(tokens: Tokens, prices: Prices) -> float:
    """Dollars for what was counted."""
    return (
        tokens.input * prices.input
        + tokens.output * prices.output
        + tokens.cache_write * prices.cache_write
        + tokens.cache_read * prices.cache_read
    ) / _MILLION


def most_usd(sent: str, prices: Prices) -> float:
    """Dollars that a question costs at most.

    A token is a byte or more of what is sent, so bytes are a bound for any tokenizer; a kind that
    may be billed in more than one way is taken at its dearest.
    """
    dearest = max(prices.input, prices.cache_write, prices.cache_read)
    most = len(sent.encode("utf-8", "surrogatepass")) + OVERHEAD_TOKENS
    return (most * dearest + MOST_OUTPUT_TOKENS * prices.output) / _MILLION


def tokens_of(
    input_tokens: object,
    output_tokens: object,
    cache_write: object = None,
    cache_read: object = None,
) -> Tokens | None:
    """Counts as a service told them; None when one is no count, and nothing is known then.

    Caches that nothing is said of held nothing.
    """
    counted = [
        each
        for each in (input_tokens, output_tokens, cache_write or 0, cache_read or 0)
        if type(each) is int and 0 <= each < _MOST_COUNTED
    ]
    return Tokens(*counted) if len(counted) == 4 else None
