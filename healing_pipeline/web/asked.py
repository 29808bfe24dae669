"""What a reader says about the asking itself, in headers: healing or not, labels, deadline, token.

Never in the query: that belongs to the provider.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from healing_pipeline.client import checked_deadline, checked_labels
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.web.problems import Problem


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a reader wants to be answered.

    Attributes
    ----------
    heal : bool
        False: pass the upstream's own words through.
    accepts, deadline_s
        None where the endpoint's own are meant.
    """

    heal: bool = True
    accepts: frozenset[Fidelity] | None = None
    deadline_s: float | None = None


NONE_SAID = Wishes()


def wishes_of(headers: Iterable[tuple[bytes, bytes]]) -> Wishes | Problem:
    """Read a request's headers; most hold no wish."""
    said = {name: value for name, value in headers if name.startswith(b"x-healing")}
    if not said:
        return NONE_SAID
    heal = said.get(b"x-healing", b"on").strip().lower()
    if heal not in (b"on", b"off"):
        return Problem("bad-request", "X-Healing is neither `on` nor `off`.")
    try:
        accepts = said.get(b"x-healing-accept")
        labels = None
        if accepts is not None:
            texts = accepts.decode("latin-1").lower().split(",")
            labels = checked_labels([each.strip() for each in texts if each.strip()])
        deadline = said.get(b"x-healing-deadline")
        deadline_s = None if deadline is None else checked_deadline(_number(deadline))
    except ConfigurationError as error:
        return Problem("bad-request", str(error))
    return Wishes(heal == b"on", labels, deadline_s)


def _number(value: bytes) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigurationError(
            "X-Healing-Deadline is no number.", "Write seconds, for example 1.5."
        ) from None


def is_token(token: bytes, headers: Iterable[tuple[bytes, bytes]], as_key: str | None) -> bool:
    """Whether a request brings the gateway's token, compared in constant time.

    Parameters
    ----------
    token : bytes
    as_key : str or None
        What a provider's client sent as its API key: it may be the token.
    """
    for name, value in headers:
        if name == b"authorization":
            scheme, _, given = value.partition(b" ")
            if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token):
                return True
    return as_key is not None and hmac.compare_digest(as_key.encode(), token)
