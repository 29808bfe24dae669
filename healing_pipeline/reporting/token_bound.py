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

# Any two of these letters are one token. What a tokenizer leaves side by side is no token together:
# so of two tokens next to each other in a run of them at most one is a single letter.
JOINED_LETTERS = "abcdefghilmnoprstuvwy"
_PIECE = re.compile(
    rf"(?P<word> ?(?<![^\W\d])[a-z]+(?:_[a-z]+)*(?![^\W\d]))|(?P<run>[{JOINED_LETTERS}]+)"
    r"|(?P<digits>[0-9]+)|(?P<rest>.)",
    re.DOTALL,
)


# Each is one token, also with the blank before it that belongs to the word.
_COMMON_WORDS = (
    "a after alpha an and answer answered are asked at bad base be bytes call calls cause chart "
    "class complete connection crumb daily data date day days deadline does empty endpoint entry "
    "error errors event events exchange failed failure fallback false finance first for found "
    "fred free from group groups has have heal host hours html http in instead internal invalid "
    "is key known last latest left limit made may more mostly name network new no not null number "
    "numbers of ok on one open or out over page pair per please polygon premium prev primary "
    "probe provider quote rate read reader request requests reset result root second seconds seen "
    "series server service session source sources status stock strategy symbol table than that "
    "the this ticker time to today token too true unable unknown upgrade was were when while "
    "window with within without your"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_PROVIDERS = ("alpha_vantage", "exchange_rate", "fred", "polygon", "yahoo")


def words_of(names: Iterable[str]) -> frozenset[str]:
    """The words that some names are made of, where a blank parts them."""
    return frozenset(word for name in names for word in name.split())


# Words that reports repeat. None that a user's package or an upstream adds: their tokens nobody has
# counted.
OUR_WORDS = _COMMON | words_of(
    [
        *map(str, FailureClass),
        *map(str, RootCause),
        *(each.name for each in STRATEGIES),
        *_PROVIDERS,
        "plain",
    ]
)


def most_tokens(text: str, known: frozenset[str] = OUR_WORDS) -> int:
    """A number of tokens that `text` does not exceed.

    Parameters
    ----------
    text : str
        Encodable as UTF-8.
    known : frozenset of str
        Words of small letters and ``_``. Each part is one token where it is a common word, and at
        most a token for every four letters begun where it is not.

    Notes
    -----
    No token is shorter than a byte, so bytes bound everything. Digits come in threes, and runs of
    frequent small letters cannot consist of single letters. A character outside of ASCII may shift
    how its neighbours are cut, an apostrophe may end a word early: each counts one more.
    """
    return sum(
        _most(match.lastgroup or "", match.group(), known) for match in _PIECE.finditer(text)
    )


def _most(kind: str, piece: str, known: frozenset[str]) -> int:
    if kind == "word":
        word = piece.lstrip(" ")
        if word in known:
            return sum(1 if part in _COMMON else ceil(len(part) / 4) for part in word.split("_"))
        return len(piece) - len(word) + _most_of_letters(word)
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
