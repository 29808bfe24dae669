"""The alphabet of a text message, GSM 03.38: what is in it, what stands for the rest, how long.

One character outside of it makes a phone network send the whole text in another alphabet, of which
70 characters fit in place of 160; the rest becomes a second message.
"""

from __future__ import annotations

import unicodedata

SEPTETS = 160
"""Of one message."""

BASIC = frozenset(
    "@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\n\u00d8\u00f8\r\u00c5\u00e5\u0394_\u03a6"
    "\u0393\u039b\u03a9\u03a0\u03a8\u03a3\u0398\u039e\u00c6\u00e6\u00df\u00c9 !\"#\u00a4%&'()*+,-./"
    "0123456789:;<=>?\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c4\u00d6\u00d1\u00dc\u00a7\u00bf"
    "abcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00f1\u00fc\u00e0"
)
# Each is sent as two.
EXTENSION = frozenset("\f^{}\\[~]|\u20ac")

UNKNOWN = "?"

_STAND_INS = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "`": "'", "\u00b4": "'",
    "\u2032": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"',
    "\u2033": '"', "\u2039": "<", "\u203a": ">", "\u2010": "-", "\u2011": "-", "\u2012": "-",
    "\u2013": "-", "\u2014": "-", "\u2015": "-", "\u2212": "-", "\u2026": "...", "\u2022": "-",
    "\u00b7": ".", "\u00d7": "x", "\u00f7": "/", "\u2192": "->", "\u2190": "<-", "\u2264": "<=",
    "\u2265": ">=", "\u2260": "!=", "\u2248": "~", "\u00b1": "+-", "\u00b0": " deg", "\u00b5": "u",
    "\u03bc": "u", "\u0153": "oe", "\u0152": "OE", "\u0142": "l", "\u0141": "L", "\u0111": "d",
    "\u0110": "D", "\u00f0": "d", "\u00d0": "D", "\u00fe": "th", "\u00de": "Th", "\u0131": "i",
    "\t": " ", "\u00a9": "(c)", "\u00ae": "(R)", "\u2122": "(TM)", "\u20bf": "BTC",
}  # fmt: skip


def septets(text: str) -> int:
    """How much of a message `text` takes, which is in the alphabet."""
    return sum(2 if each in EXTENSION else 1 for each in text)


def is_gsm(text: str) -> bool:
    """Whether a phone network sends `text` in this alphabet."""
    return all(each in BASIC or each in EXTENSION for each in text)


def to_gsm(text: str) -> str:
    """`text` in this alphabet: accents dropped, marks replaced, the rest as ``?``."""
    return "".join(_letter(each) for each in unicodedata.normalize("NFC", text))


def cut(text: str, limit: int) -> str:
    """The beginning of `text`, in at most `limit` septets, with dots where more was."""
    if septets(text) <= limit:
        return text
    dots = "..." if limit > 3 else ""
    left = limit - len(dots)
    kept = ""
    for each in text:
        left -= septets(each)
        if left < 0:
            break
        kept += each
    return kept.rstrip() + dots


def _letter(char: str) -> str:
    if char in BASIC or char in EXTENSION:
        return char
    if char in _STAND_INS:
        return _STAND_INS[char]
    plain = "".join(
        each for each in unicodedata.normalize("NFKD", char) if not unicodedata.combining(each)
    )
    if plain and plain != char and is_gsm(plain):
        return plain
    return "" if unicodedata.category(char) in {"Mn", "Me", "Cf", "Cc"} else UNKNOWN
