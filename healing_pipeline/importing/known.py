"""Which requests are questions to a provider that we have code for, and how they are written then.

What such a provider answers is judged by its own rules, which know more than a monitor's conditions
do: they read the numbers, so that healing can compare them and fetch them elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from healing_pipeline.catalog.json_rules import KeyPlace
from healing_pipeline.importing.marks import variable_in
from healing_pipeline.importing.secrets import FoundKey

NO_HOSTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of ours, as a request of another tool is told to be its question.

    Attributes
    ----------
    name : str
    hosts : Mapping[str, str]
        Base URL by host; a request to any of them is meant for all.
    path : re.Pattern
        Of questions it knows.
    needs : tuple of str
        Parameters without which it is none.
    keys : (KeyPlace, name) pairs
        Where other tools may send its key; empty for one without keys.
    variable : str
        Which is to hold the key where the file holds the key itself.
    quota : str
        As the configuration writes it.
    calendar : str
    """

    name: str
    hosts: Mapping[str, str]
    path: re.Pattern[str]
    needs: tuple[str, ...] = ()
    keys: tuple[tuple[KeyPlace, str], ...] = ()
    variable: str = ""
    quota: str = ""
    calendar: str = "XNYS"


PROVIDERS = (
    Provider(
        "yahoo",
        {
            "query1": "https://query1.finance.yahoo.com",
            "query2": "https://query2.finance.yahoo.com",
        },
        re.compile(r"/v8/finance/chart/[A-Za-z0-9.^=-]{1,30}"),
        quota="{per_minute: 60}",
    ),
    Provider(
        "fred",
        {"api": "https://api.stlouisfed.org"},
        re.compile(r"/fred/series/observations"),
        ("series_id", "file_type"),
        ((KeyPlace.PARAM, "api_key"),),
        "FRED_API_KEY",
        "{per_minute: 120}",
        "",
    ),
    Provider(
        "polygon",
        {"polygon": "https://api.polygon.io", "massive": "https://api.massive.com"},
        re.compile(
            r"/v2/aggs/ticker/[A-Za-z0-9.:-]{1,30}/(prev|range/[0-9]+/[a-z]+/[0-9-]+/[0-9-]+)"
        ),
        (),
        ((KeyPlace.PARAM, "apiKey"), (KeyPlace.BEARER, "Authorization")),
        "POLYGON_API_KEY",
        "{per_minute: 5}",
    ),
    Provider(
        "alpha_vantage",
        {"www": "https://www.alphavantage.co"},
        re.compile(r"/query"),
        ("function",),
        ((KeyPlace.PARAM, "apikey"),),
        "ALPHA_VANTAGE_API_KEY",
        "{per_minute: 5, per_day: 25}",
    ),
    Provider(
        "exchange_rate",
        {"v6": "https://v6.exchangerate-api.com"},
        re.compile(r"/v6/(?P<key>[^/]+)(?P<rest>/(latest/[A-Z]{3}|pair/[A-Z]{3}/[A-Z]{3}))"),
        (),
        ((KeyPlace.PARAM, "path"),),
        "EXCHANGE_RATE_API_KEY",
        "{per_month: 1500}",
        "always",
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A request as a provider's endpoint: the path without its key, and the key."""

    provider: Provider
    path: str
    key: FoundKey | None


def question_of(
    origin: str, path: str, params: Mapping[str, str], keys: list[FoundKey]
) -> Question | None:
    """The question that a request is to a provider of ours; None for any other."""
    for provider in PROVIDERS:
        found = provider.path.fullmatch(path)
        if origin not in provider.hosts.values() or found is None:
            continue
        if any(not params.get(each) for each in provider.needs):
            return None
        if params.get("file_type", "json") != "json":
            return None
        if "key" in provider.path.groupindex:
            if keys:
                return None
            secret = found["key"]
            key = FoundKey(KeyPlace.PARAM, "path", variable_in(secret), secret)
            return Question(provider, f"/v6{found['rest']}", key)
        if not provider.keys:
            return None if keys else Question(provider, path, None)
        if len(keys) != 1 or (keys[0].place, keys[0].name) not in provider.keys:
            return None
        return Question(provider, path, keys[0])
    return None
