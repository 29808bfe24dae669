"""What one simulated upstream has to offer, and the values it works on.

An upstream is pure: a request without its key, the market and a moment in, status, headers and body
out. Sockets, keys, quotas and faults are the server's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Protocol

from healing_pipeline.simulator.market import Market
from healing_pipeline.simulator.questions import Question

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
TEXT = "text/plain; charset=utf-8"
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ask:
    """A GET as an upstream sees it, without the secret.

    Attributes
    ----------
    host : str
        Name of the host: ``query1``.
    path : str
    params : Mapping[str, str]
    secret : str or None
        What the caller gave as key; only for errors that echo or judge it.
    """

    host: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (without length) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Upstream(Protocol):
    """One provider's side of the conversation; each is a module of this package."""

    def question(self, ask: Ask, now: datetime) -> Question | Answer:
        """What a request asks for, or the provider's real refusal of it."""
        ...

    def render(self, ask: Ask, question: Question, market: Market, now: datetime) -> Answer:
        """The healthy body as of `now`."""
        ...

    def failure(self, kind: str, ask: Ask, now: datetime, variant: int) -> Answer:
        """The provider's real form of a failure.

        Parameters
        ----------
        kind : str
            A fault with a form of its own at this provider: ``rate_limit``, ``auth_error``,
            ``missing_key``, ``burst``, ...
        ask : Ask
        now : datetime
        variant : int
            0, 1, 2, ...: where a provider has several forms, which one.
        """
        ...

    def wrong_schema(self, answer: Answer) -> Answer:
        """The same data after a change of format that nobody announced."""
        ...


def json_answer(
    status: int, value: object, *, headers: Mapping[str, str] = _NO_HEADERS, spaced: bool = False
) -> Answer:
    """An answer with a JSON body; `spaced` writes it the way pretty-printing providers do."""
    text = json.dumps(value, indent=4) if spaced else json.dumps(value, separators=(",", ":"))
    return Answer(status, {"content-type": JSON, **headers}, text.encode())


def text_answer(
    status: int, text: str, content_type: str = TEXT, headers: Mapping[str, str] = _NO_HEADERS
) -> Answer:
    """An answer with a text or HTML body."""
    return Answer(status, {"content-type": content_type, **headers}, text.encode())


def request_id(ask: Ask, now: datetime) -> str:
    """A request id of 32 hex digits; equal questions at equal moments get equal ids."""
    named = f"{ask.path}?{sorted(ask.params.items())}@{now.isoformat()}"
    return sha256(named.encode()).hexdigest()[:32]


def whole_number(text: str | None) -> int | None:
    """A non-negative integer parameter; None when it is missing or is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def renamed(value: object, names: Mapping[str, str]) -> object:
    """A copy of a JSON value with keys renamed at every depth; keys mapped to "" are dropped."""
    if isinstance(value, dict):
        return {
            names.get(key, key): renamed(each, names)
            for key, each in value.items()
            if names.get(key, key)
        }
    if isinstance(value, list):
        return [renamed(each, names) for each in value]
    return value


def with_renamed_keys(answer: Answer, names: Mapping[str, str]) -> Answer:
    """An answer whose JSON has other names; one without JSON loses its first line of names."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        _, _, rest = answer.body.partition(b"\n")
        return Answer(answer.status, answer.headers, b"c1;c2;c3\n" + rest.replace(b",", b";"))
    return json_answer(answer.status, renamed(value, names))
