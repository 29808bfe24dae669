"""A provider made of four functions, as ours are: nothing to configure, nothing to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.provider import UpstreamRequest


class BuildRequest(Protocol):
    """See `Provider.request`."""

    def __call__(  # noqa: D102 (see `Provider.request`)
        self,
        endpoint: Endpoint,
        host: Host,
        key: ApiKey | None,
        now: datetime,
        params: Mapping[str, str] | None = None,
    ) -> UpstreamRequest: ...


@dataclass(frozen=True, slots=True)
class Spoken:
    """A `Provider` by its functions; see there for what each does."""

    name: str
    request: BuildRequest
    classify: Callable[[Response, RequestLine], Verdict]
    read: Callable[[bytes, RequestLine], Reading | Unreadable]
    smaller: Callable[
        [Endpoint, Mapping[str, str], float, datetime], tuple[str, Mapping[str, str]] | None
    ]
