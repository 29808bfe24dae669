"""The provider of sources that are only configuration, one for each endpoint's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from healing_pipeline.catalog.json_rules import Expect, KeyIn, Read
from healing_pipeline.catalog.values import Endpoint, Source
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.json_api.examining import Examiner
from healing_pipeline.providers.json_api.rendering import rendered
from healing_pipeline.providers.json_api.requests import requests
from healing_pipeline.providers.provider import Asked
from healing_pipeline.providers.spoken import Spoken
from healing_pipeline.providers.urls import asked, fraction

NAME = "json_api"


def json_api(source: Source, endpoint: Endpoint) -> Spoken:
    """Whoever speaks for `endpoint`, by its own rules and its source's.

    Where no number is read, an answer is about the endpoint alone: that another one answers is no
    answer of this.
    """
    return _spoken(source.name, endpoint.id.upper(), source.key_in, endpoint.read, endpoint.expect)


def _spoken(
    name: str, instrument: str, key_in: KeyIn | None, read: Read | None, expect: Expect | None
) -> Spoken:
    instrument = instrument if read is None else read.instrument
    examiner = Examiner(name, instrument, Expect() if expect is None else expect, read)
    dated = read is not None and read.at is not None
    limit_param = None if read is None else read.limit_param
    return Spoken(
        NAME,
        requests(key_in, dated=dated),
        partial(_classify, examiner),
        partial(_read, examiner),
        partial(_smaller, limit_param),
        rendered=partial(rendered, examiner),
        glance=partial(_glance, examiner),
    )


def _classify(examiner: Examiner, response: Response, line: RequestLine) -> Verdict:
    return examiner.examine(response, line)[0]


def _glance(
    examiner: Examiner, response: Response, line: RequestLine
) -> tuple[Verdict, Reading] | None:
    """All that a good answer needs; one that is not good is judged once more, for its verdict."""
    verdict, reading = examiner.examine(response, line)
    return None if reading is None else (verdict, reading)


def _read(examiner: Examiner, body: bytes, line: RequestLine) -> Reading | Unreadable:
    """Read a body for itself: its status, its media type and its time are not asked after."""
    return examiner.read_body(body, line)


def _smaller(
    limit_param: str | None,
    endpoint: Endpoint,
    params: Mapping[str, str],
    factor: float,
    now: datetime,
) -> Asked | None:
    """Ask for fewer rows, where the configuration names the parameter that counts them."""
    fraction(factor)
    path, merged = asked(endpoint, params, now)
    said = "" if limit_param is None else merged.get(limit_param, "")
    if limit_param is None or not (said.isascii() and said.isdigit() and len(said) < 10):
        return None
    rows = int(int(said) * factor)
    return (path, {**merged, limit_param: str(rows)}) if rows >= 1 else None


JSON_API = _spoken(NAME, "ANSWER", None, None, None)
"""For whoever asks by the provider's name alone: what holds for every JSON API."""
