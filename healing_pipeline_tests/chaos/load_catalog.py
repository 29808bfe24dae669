"""A catalog of thousands of endpoints, and the truth about each: shared by all of the load trial.

Half of the sources carry the same data as the other half, as two providers of one market do. A
quote is another number each second, so that a body tells which second it is of; a rate of
currencies stands for a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, permutations
from pathlib import Path

KEY_VARIABLE = "LOAD_TRIAL_KEY"
KEY = "k" * 24
HOSTS = 2
SIDES = ("north", "south")
CODES = (
    "USD EUR GBP JPY CHF AUD CAD NZD SEK NOK DKK PLN CZK HUF RON BGN TRY ILS ZAR MXN BRL CLP COP "
    "PEN INR IDR MYR PHP THB SGD HKD KRW TWD"
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# An older quote is stale.
MAX_AGE_S, RATES_MAX_AGE_S = 60, 129_600


@dataclass(frozen=True, slots=True)
class LoadSource:
    """One source of the catalog.

    Attributes
    ----------
    twin : str
        The source that carries the same data.
    subjects : tuple of str
        Symbols, or pairs of currencies.
    """

    name: str
    twin: str
    is_quotes: bool
    subjects: tuple[str, ...]

    def endpoint(self, subject: str) -> str:
        """The id of the endpoint about a subject."""
        return f"{self.name}/{subject.lower()}"


def sources_of(endpoints: int) -> list[LoadSource]:
    """Twenty sources that share so many endpoints: four fifths quotes, the rest rates."""
    quotes, rates = _groups("quotes", 8, endpoints * 4 // 5), _groups("rates", 2, endpoints // 5)
    symbols, pairs = _symbols(), _pairs()
    found = []
    for name, size in [*quotes, *rates]:
        is_quotes = name.startswith("quotes")
        subjects = tuple(islice(symbols if is_quotes else pairs, size))
        names = [f"{name}_{side}" for side in SIDES]
        found += [
            LoadSource(own, twin, is_quotes, subjects) for own, twin in (names, reversed(names))
        ]
    return found


def _groups(kind: str, groups: int, endpoints: int) -> list[tuple[str, int]]:
    return [(f"{kind}_{number:02}", endpoints // groups // len(SIDES)) for number in range(groups)]


def _symbols() -> Iterator[str]:
    for number in range(len(LETTERS) ** 3):
        first, rest = divmod(number, len(LETTERS) ** 2)
        yield "Z" + LETTERS[first] + LETTERS[rest // 26] + LETTERS[rest % 26]


def _pairs() -> Iterator[str]:
    for base, target in permutations(CODES.split(), 2):
        yield f"{base}-{target}"


def price(symbol: str, second: int) -> float:
    """What a quote is in a second: a swing of a fifth of a percent around its own level."""
    level = 20.0 + _spread(symbol) % 400
    # A hash of the second alone would be the same step for all; this one is each symbol's own.
    step = ((second * 2_654_435_761 + _spread(symbol) * 40_503) >> 7) % 1000
    return round(level * (1.0 + (step - 500) / 250_000), 4)


def rate(pair: str) -> float:
    """The rate of a pair of currencies."""
    return round(0.5 + _spread(pair) % 9000 / 1000, 4)


def _spread(text: str) -> int:
    value = 0
    for each in text.encode():
        value = (value * 131 + each) % 1_000_003
    return value


def config_text(sources: list[LoadSource], first_port: int, interval_s: int) -> str:
    """The configuration as a user would write it; the hosts listen on ports that follow."""
    lines = [
        "upstreams: real",
        "allow_private_hosts: [127.0.0.1]",
        "witnesses: []",
        "learning: {since: 2026-11-01}",
        "sources:",
    ]
    for number, source in enumerate(sources):
        ports = port_of(first_port, number, 0), port_of(first_port, number, 1)
        lines += [
            f"  {source.name}:",
            f"    provider: {'yahoo' if source.is_quotes else 'exchange_rate'}",
            f"    hosts: {{one: 'http://127.0.0.1:{ports[0]}', two: 'http://127.0.0.1:{ports[1]}'}}",
            "    calendar: always",
        ]
        if not source.is_quotes:
            lines.append(f"    keys: {{primary: {{env: {KEY_VARIABLE}}}}}")
    lines.append("endpoints:")
    for source in sources:
        for subject in source.subjects:
            if source.is_quotes:
                asked = f"path: /v7/finance/quote, params: {{symbols: {subject}}}"
                asked += f", max_age_s: {MAX_AGE_S}"
            else:
                asked = f"path: /v6/pair/{subject.replace('-', '/')}, max_age_s: {RATES_MAX_AGE_S}"
            twin = f"{source.twin}/{subject.lower()}"
            lines.append(
                f"  {source.endpoint(subject)}: {{{asked}, interval_s: {interval_s}, "
                f"accepts: [exact, stale], alternates: {{endpoints: [{twin}]}}}}"
            )
    return "\n".join(lines) + "\n"


def port_of(first: int, source: int, host: int) -> int:
    """Where a host of a source listens."""
    return first + HOSTS * source + host


def write_config(path: Path, endpoints: int, first_port: int, interval_s: int) -> int:
    """Write the configuration; how many endpoints it has."""
    sources = sources_of(endpoints)
    path.write_text(config_text(sources, first_port, interval_s), encoding="utf-8")
    return sum(len(each.subjects) for each in sources)
