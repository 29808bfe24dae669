"""What a configuration may say about the second opinion. There is none without its section."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LONGEST_WAIT_S = 8.0


class Service(StrEnum):
    """Whose API is spoken; each is a file of `services`."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


class Ask(StrEnum):
    """When a heal run asks: once its plan has failed, or beside each plan."""

    UNHEALED = "unhealed"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens, of each kind that is billed apart.

    Attributes
    ----------
    cache_write, cache_read : float
        Of what the service keeps for later questions, and of what it kept.
    """

    input: float
    output: float
    cache_write: float
    cache_read: float


@dataclass(frozen=True, slots=True)
class SecondOpinionSettings:
    """The section `second_opinion` of a configuration.

    Attributes
    ----------
    service : Service
    model : str
    base_url : str
        Where the service is; of an OpenAI-compatible server with its ``/v1``.
    api_key_env : str or None
        The environment variable that holds the key, which stands nowhere else. None: the server
        takes none.
    daily_budget_usd : float
        No question is sent that could cost more than is left of it, by UTC days.
    prices : Prices
    timeout_s : float
        From the moment it is decided to ask; then the deterministic answer stands.
    ask : Ask
    """

    service: Service
    model: str
    base_url: str
    api_key_env: str | None
    daily_budget_usd: float
    prices: Prices
    timeout_s: float = LONGEST_WAIT_S
    ask: Ask = Ask.UNHEALED
