"""Taking secrets out of what people will read, and making one printable line of it.

Evidence is stored, shown and mailed, and providers like to repeat a caller's key in their messages.
"""

from __future__ import annotations

import re
from collections.abc import Collection

EVIDENCE_CHARS = 200
"""Longest evidence, in characters."""

REDACTED = "[redacted]"

_LONGEST_INPUT = 4000
"""More than this of a body is never quoted, so it need not be searched either."""

_NAMED_SECRET = re.compile(
    r"(?P<name>(?:api|access|app|auth|secret|subscription|client|rapidapi)[-_ ]?"
    r"(?:key|id|token|secret)|\b(?:token|crumb|password|secret|signature|session[-_]?id|key))"
    r"(?P<mark>[\"']?\s*(?:=|:|%3[dD])\s*[\"']?)"
    r"(?P<secret>[^\s\"'&,;<>(){}\[\]]+)",
    re.IGNORECASE,
)
_SAID_SECRET = re.compile(
    r"(?P<name>(?:api|access|app)[-_ ]?(?:key|id|token)\s+(?:as|is|was|of)\s+|\bkey\s+as\s+)"
    r"(?P<quote>[\"'`(<]?)(?P<secret>[A-Za-z0-9_\-]{8,})",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"\b(?P<name>bearer|basic)\s+(?P<secret>[A-Za-z0-9._~+/=\-]{6,})", re.IGNORECASE
)
_USERINFO = re.compile(
    r"(?P<name>\b[a-z][a-z0-9+.\-]{1,20}://)(?P<secret>[^\s/@]{1,200})@", re.IGNORECASE
)
_LONG_TOKEN = re.compile(r"[A-Za-z0-9_\-]{16,}")
# Every word after the first begins with a mark or a capital: were both optional, a run of letters
# could be parted in so many ways that fifty bytes of a body would take half a minute.
_WORDS = re.compile(r"[A-Z]?[a-z]{2,}(?:(?:[-_][A-Z]?|[A-Z])[a-z]{2,})*")
_CAPITALS = re.compile(r"[A-Z]{2,14}(?:_[A-Z]{1,14})+")
_DOMAIN_FOLLOWS = re.compile(r"\.(?:com|org|net|io|dev|host)\b")
_PLAIN_RUN = re.compile(r"[a-z]{16,}")


def _is_words(token: str) -> bool:
    """Whether a long token is words put together (`insiderTransactions`) and not a key."""
    if _CAPITALS.fullmatch(token):
        return True
    return _WORDS.fullmatch(token) is not None and _PLAIN_RUN.search(token) is None


def redact(text: str, known: Collection[str] = ()) -> str:
    """Replace every API key in `text`: by its name, by what is said of it, and by its shape.

    A run of 16 or more letters and digits that is not words put together counts as a key, so a
    long identifier may be lost too; that is the cheaper mistake.

    Parameters
    ----------
    known : collection of str
        Identifiers of our own that are no keys, whatever their shape.
    """
    text = _USERINFO.sub(rf"\g<name>{REDACTED}@", text)
    text = _NAMED_SECRET.sub(rf"\g<name>\g<mark>{REDACTED}", text)
    text = _BEARER.sub(rf"\g<name> {REDACTED}", text)
    text = _SAID_SECRET.sub(_redact_said, text)
    return _LONG_TOKEN.sub(lambda match: _redact_long(match, known), text)


def _redact_long(match: re.Match[str], known: Collection[str]) -> str:
    token = match[0]
    if token in known:
        return token
    is_host = (
        token.isalpha() and token.islower() and _DOMAIN_FOLLOWS.match(match.string, match.end())
    )
    return token if is_host or _is_words(token) else REDACTED


def _redact_said(match: re.Match[str]) -> str:
    secret = match["secret"]
    if secret.isalpha() and secret.islower() and len(secret) < 16:
        return match[0]  # "the API key is required"
    return f"{match['name']}{match['quote']}{REDACTED}"


def evidence_line(text: str) -> str:
    """One printable line without secrets, at most `EVIDENCE_CHARS` characters."""
    # What cannot be printed becomes a space and is not dropped: dropping could join two halves
    # of a key after the search for keys has passed them by.
    printable = "".join(c if c.isprintable() else " " for c in text[:_LONGEST_INPUT])
    line = redact(" ".join(printable.split()))
    return line if len(line) <= EVIDENCE_CHARS else line[: EVIDENCE_CHARS - 3].rstrip() + "..."
