"""What ExchangeRate-API's questions are about, and how pairs of one base become one table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from healing_pipeline.probing.reading import Reading
from healing_pipeline.providers.provider import Asked
from healing_pipeline.providers.subjects import counted

# The key is a part of the path in the URLs of its clients; it is matched and never looked at.
_KEY = r"/v6/(?:[^/]+/)?"
TABLE_PATH = re.compile(_KEY + r"latest/(?P<base>[A-Za-z]{3})/?")
PAIR_PATH = re.compile(_KEY + r"pair/(?P<base>[A-Za-z]{3})/(?P<target>[A-Za-z]{3})/?")
_WITH_AMOUNT = re.compile(
    _KEY + r"pair/(?P<base>[A-Za-z]{3})/(?P<target>[A-Za-z]{3})/(?P<amount>[^/]+)/?"
)
_WITH_KEY = re.compile(r"/v6/[^/]+/(?P<rest>(?:history|enriched|codes|quota)\b.*)")


def subject(path: str, params: Mapping[str, str]) -> tuple[str, ...]:
    """``("latest", "USD")``, ``("pair", "USD", "EUR")``; a key in the path is not in it."""
    path = unquote(path)
    if found := TABLE_PATH.fullmatch(path):
        return "latest", found["base"].upper(), *counted(params)
    if found := PAIR_PATH.fullmatch(path):
        return "pair", found["base"].upper(), found["target"].upper(), *counted(params)
    if found := _WITH_AMOUNT.fullmatch(path):
        pair = found["base"].upper(), found["target"].upper()
        return "pair", *pair, f"amount={found['amount']}", *counted(params)
    if found := _WITH_KEY.fullmatch(path):
        path = f"/v6/{found['rest']}"
    return path, *counted(params)


def merged(questions: Sequence[Asked]) -> Asked | None:
    """The table of the one base that all of these questions have; None where they have two."""
    found = [TABLE_PATH.fullmatch(path) or PAIR_PATH.fullmatch(path) for path, _ in questions]
    bases = {each["base"].upper() for each in found if each is not None}
    if len(bases) != 1 or None in found or any(params for _, params in questions):
        return None
    return f"/v6/latest/{bases.pop()}", {}


def part(reading: Reading, path: str, params: Mapping[str, str]) -> Reading | None:  # noqa: ARG001 (has none)
    """The rate of one's own pair out of the table of its base; the table itself for a table."""
    pair = PAIR_PATH.fullmatch(path)
    table = TABLE_PATH.fullmatch(path)
    asked = pair or table
    if asked is None or (reading.instrument, reading.interval) != (asked["base"].upper(), "now"):
        return None
    if pair is None:
        return reading
    points = tuple(each for each in reading.points if each.field == pair["target"].upper())
    return Reading(reading.instrument, "now", points, points[-1].at) if points else None
