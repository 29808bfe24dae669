"""Keeping a channel's address, which holds passwords and tokens, out of all that is shown."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from healing_pipeline.channels.texts import line
from healing_pipeline.probing.redaction import REDACTED, redact

# A shorter part may be a word of the error itself.
SHORTEST = 5
# What a person needs to see of an error, and no secret: who and where.
_OPEN = re.compile(
    r"[^@:/\s]+@[^@:/\s]+\.[^@:/\s]+"  # an e-mail address
    r"|\+?[0-9() -]{5,20}"  # a telephone number
    r"|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]+)?|localhost(?::[0-9]+)?"  # a host
)
_PASSWORD = re.compile(r"://[^/?#@:]*:([^/?#]*)@")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The parts of one address that must not be repeated."""

    parts: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Secrets:
        """The secret parts of `url`: passwords always, others unless they are who or where."""
        rest = url.split("://", 1)[-1]
        # Not by the rules of URLs alone: a password may hold anything, a broken address too.
        pieces = _hidden(each.split("=", 1)[-1] for each in re.split(r"[/?&#,]", rest))
        found = pieces | _hidden(part for each in pieces for part in re.split(r"[:@]", each))
        found |= {*_PASSWORD.findall(url), url, rest}
        both = {each for part in found for each in (part, unquote(part))}
        both |= {b64encode(each.encode("utf-8", "replace")).decode() for each in both}
        kept = (each for each in both if len(each) >= SHORTEST)
        return cls(tuple(sorted(kept, key=lambda each: (-len(each), each))))

    def strike(self, text: str, limit: int = 400) -> str:
        """`text` in one line without them, and without whatever else looks like a key."""
        for each in self.parts:
            text = text.replace(each, REDACTED)
        return line(redact(text), limit)


def _hidden(parts: Iterable[str]) -> set[str]:
    return {each for each in parts if _OPEN.fullmatch(unquote(each)) is None}
