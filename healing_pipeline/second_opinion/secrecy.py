"""Keeping secrets out of a question: struck where they stand, and looked for once more at the gate.

Providers repeat a caller's key in their messages: as it is, encoded, broken into lines, cut off in
the middle. What is struck is judged by place; the gate judges the whole text in every form that a
reader could undo, and a question that does not pass it is not sent.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.probing.redaction import REDACTED, redact

# Shorter ones are found in ordinary words; `demo` is a key of Alpha Vantage's that opens nothing.
SHORTEST = 4
# From here on a part of a secret is looked for too, and it may be broken up.
LONG = 8
# So many of its characters in a row are taken for the secret itself.
PART = 12
LEFT_OUT = "[left out: a part of a secret was in it]"

_GAPS = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]+")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([/\"']))")
_SECRET_WORDS = frozenset(
    {
        *("APIKEY", "AUTH", "COOKIE", "CREDENTIAL", "CREDENTIALS", "DSN", "KEY", "PASS"),
        *("PASSPHRASE", "PASSWD", "PASSWORD", "PWD", "SECRET", "SECRETS", "TOKEN", "URI", "URL"),
        "WEBHOOK",
    }
)
_ORDINARY = re.compile(r"[a-z]{1,14}|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[0-9]{1,5}|/[\w./-]*")


def known_secrets(catalog: Catalog, environ: Mapping[str, str]) -> frozenset[str]:
    """All that may not leave: the keys of every source, and what the environment holds as secret.

    Parameters
    ----------
    environ : Mapping[str, str]
        Judged by the names of its variables; of an address, its password and whatever else in it
        is no host.
    """
    found = {key.secret for source in catalog.sources.values() for key in source.keys}
    addresses = {each.env for each in catalog.alerts.channels}
    second = catalog.second_opinion
    for name, value in environ.items():
        if name in addresses:
            found |= {value, *_parts(value)}
        elif second is not None and name == second.api_key_env:
            found.add(value.strip())
        elif _SECRET_WORDS & set(re.split(r"[^A-Z]+", name.upper())):
            found |= set(_parts(value)) if "://" in value else {value.strip()}
    return frozenset(each for each in found if len(each) >= SHORTEST)


def _parts(address: str) -> Iterator[str]:
    """What an address holds besides hosts and words, encoded and not."""
    try:
        password = urlsplit(address).password
    except ValueError:
        password = None
    if password:
        yield from (password, unquote(password))
    for each in re.split(r"[/?&#,:@=]", address.split("://", 1)[-1]):
        if len(each) >= LONG and _ORDINARY.fullmatch(each) is None:
            yield from (each, unquote(each))


class Secrets:
    """The secrets that a text must not hold, in every form that they may take.

    Parameters
    ----------
    values : iterable of str
        Those of fewer than `SHORTEST` characters are left aside.
    """

    def __init__(self, values: Iterable[str]) -> None:
        kept = {each for each in values if len(each) >= SHORTEST}
        long = {each for each in kept if len(each) >= LONG}
        short = sorted(kept - long, key=len, reverse=True)
        forms = {form for each in long for form in _forms(each)}
        squeezed = {_squeezed(each) for each in forms}
        self._pieces = frozenset(
            each[at : at + PART] for each in squeezed for at in range(max(1, len(each) - PART + 1))
        )
        self._sizes = sorted({len(each) for each in self._pieces})
        words = "|".join(re.escape(each) for each in short)
        self._short = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])", re.I) if short else None

    def strike(self, text: str, *, shapes: bool = True) -> str:
        """`text` without them and, by `shapes`, without whatever else looks like a key."""
        text = self._without_pieces(text)
        if self._short is not None:
            text = self._short.sub(REDACTED, text)
        if shapes:
            text = redact(text)
        if self.are_in(text):
            # What is left is a part of one, or in a form of its own: the words that hold it go.
            words = re.split(r"(\s+)", text)
            text = "".join(REDACTED if self.are_in(each) else each for each in words)
        return LEFT_OUT if self.are_in(text) else text

    def _without_pieces(self, text: str) -> str:
        """`text` without the characters of whatever part of a secret stands in it."""
        chars: list[str] = []
        places: list[int] = []
        for place, each in enumerate(text):
            for char in _squeezed(each):
                chars.append(char)
                places.append(place)
        struck: list[str] = []
        kept_from = 0
        for begin, end in self._found("".join(chars)):
            first, last = places[begin], places[end - 1]
            if first >= kept_from:
                struck += (text[kept_from:first], REDACTED)
            kept_from = max(kept_from, last + 1)
        return "".join((*struck, text[kept_from:]))

    def _found(self, squeezed: str) -> Iterator[tuple[int, int]]:
        """Where parts of secrets begin and end, those that touch as one."""
        open_at, open_to = -1, -1
        for at in range(len(squeezed)):
            for size in self._sizes:
                if squeezed[at : at + size] in self._pieces:
                    if at > open_to:
                        if open_to > 0:
                            yield open_at, open_to
                        open_at = at
                    open_to = max(open_to, at + size)
        if open_to > 0:
            yield open_at, open_to

    def are_in(self, text: str) -> bool:
        """Whether one of them, or a long part of one, can still be read out of `text`."""
        return any(self._in_form(each) for each in _readings(text))

    def _in_form(self, text: str) -> bool:
        if self._short is not None and self._short.search(text):
            return True
        return next(self._found(_squeezed(text)), None) is not None


def _forms(secret: str) -> set[str]:
    """A secret as it is, and as the usual encodings write it."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(quote(secret, safe=""), safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(secret).replace("/", "\\/")[1:-1],
        html.escape(secret),
        raw.hex(),
        secret[::-1],
    }
    # In base64 what a secret looks like depends on how many bytes stand before it.
    for before in range(3):
        whole = b64encode(b"\0" * before + raw).decode()
        first = -(-before * 8 // 6)
        core = whole[first : (before + len(raw)) * 8 // 6]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return {each for each in forms if len(each) >= LONG}


def _squeezed(text: str) -> str:
    return _GAPS.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _readings(text: str) -> set[str]:
    """`text`, and what comes of it when somebody undoes an encoding or two."""
    found = {text}
    for _ in range(2):
        found |= {
            undone
            for each in found
            for undone in (unquote_plus(each), unquote(each), html.unescape(each), _unescaped(each))
        }
    return found


def _unescaped(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        return chr(int(code, 16)) if code else match[3]

    return _ESCAPE.sub(char, text)
