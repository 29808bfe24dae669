"""How many tokens a text can have at most, known without a tokenizer.

A tokenizer's tables weigh megabytes and belong to one model; what must fit into a prompt has to be
bounded where none is at hand. The bound is meant for o200k_base, and its tests hold every part of
it against that tokenizer's own ranks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import ceil

from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.incidents.cause import RootCause
from healing_pipeline.probing.failure_class import FailureClass

PLAIN = "plain"

# Any two of these letters are one token. What a tokenizer leaves side by side is no token together:
# so of two tokens next to each other in a run of them at most one is a single letter.
JOINED_LETTERS = "abcdefghilmnoprstuvwy"
_PIECE = re.compile(
    rf"(?P<word>(?<![^\W\d])[a-z]+(?:_[a-z]+)*(?![^\W\d]))|(?P<run>[{JOINED_LETTERS}]+)"
    r"|(?P<digits>[0-9]+)|(?P<rest>.)",
    re.DOTALL,
)


def words_of(names: Iterable[str]) -> frozenset[str]:
    """The words that some names are made of, where a blank parts them."""
    return frozenset(word for name in names for word in name.split())


# Words of our own that a report repeats. Not what a user's package or an upstream adds: their
# tokens nobody has counted.
OUR_WORDS = words_of(
    [
        *map(str, FailureClass),
        *map(str, RootCause),
        *(each.name for each in STRATEGIES),
        PLAIN,
    ]
)


def most_tokens(text: str, known: frozenset[str] = OUR_WORDS) -> int:
    """A number of tokens that `text` does not exceed.

    Parameters
    ----------
    text : str
        Encodable as UTF-8.
    known : frozenset of str
        Words of small letters and ``_``, each at most a token for every four letters begun.

    Notes
    -----
    No token is shorter than a byte, so bytes bound everything. Digits come in threes, and runs of
    common small letters cannot consist of single letters. A character outside of ASCII may shift
    how its neighbours are cut, an apostrophe may end a word early: each counts one more.
    """
    return sum(
        _most(match.lastgroup or "", match.group(), known) for match in _PIECE.finditer(text)
    )


def _most(kind: str, piece: str, known: frozenset[str]) -> int:
    if kind == "word":
        if piece in known:
            return sum(ceil(len(part) / 4) for part in piece.split("_"))
        return _most_of_letters(piece)
    if kind == "run":
        return _most_of_run(len(piece))
    if kind == "digits":
        return ceil(len(piece) / 3)
    size = len(piece.encode("utf-8"))
    return size + 1 if size > 1 or piece == "'" else size


def _most_of_letters(word: str) -> int:
    """Of a word that nobody knows: its runs, and each other letter by itself."""
    tokens = run = 0
    for letter in word:
        if letter in JOINED_LETTERS:
            run += 1
            continue
        tokens += _most_of_run(run) + 1
        run = 0
    return tokens + _most_of_run(run)


def _most_of_run(letters: int) -> int:
    return (2 * letters + 1) // 3
