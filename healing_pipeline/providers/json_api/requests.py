"""What a JSON API is asked: the configured path and parameters, with the key where it wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from healing_pipeline.catalog.json_rules import KeyIn, KeyPlace
from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.spoken import BuildRequest
from healing_pipeline.providers.urls import asked, assembled, remembered


def requests(key_in: KeyIn | None, *, dated: bool) -> BuildRequest:
    """What builds the GETs of an endpoint.

    Parameters
    ----------
    key_in : KeyIn or None
        None for a source that is sent no key.
    dated : bool
        Whether its bodies say of when they are. If not, the line has to say when they were asked
        for, and no request is that of a moment before.
    """

    @remembered
    def request(
        endpoint: Endpoint,
        host: Host,
        key: ApiKey | None,
        now: datetime,
        params: Mapping[str, str] | None = None,
    ) -> UpstreamRequest:
        path, merged = asked(endpoint, params, now)
        if key is None or key_in is None:
            return assembled(endpoint, host, path, merged)
        if key_in.place is KeyPlace.PARAM:
            its_param = {key_in.name: key.secret}
            return assembled(endpoint, host, path, merged, key_name=key.name, key_params=its_param)
        bearer = "Bearer " if key_in.place is KeyPlace.BEARER else ""
        its_header = {key_in.name: bearer + key.secret}
        return assembled(endpoint, host, path, merged, key_name=key.name, key_headers=its_header)

    if dated:
        return request

    def request_now(
        endpoint: Endpoint,
        host: Host,
        key: ApiKey | None,
        now: datetime,
        params: Mapping[str, str] | None = None,
    ) -> UpstreamRequest:
        built = request(endpoint, host, key, now, params)
        return replace(built, line=replace(built.line, asked_at=now))

    return request_now
