"""A provider made of functions, as ours are: nothing to configure, nothing to change.

Four functions make a provider; the rest have a default that says "this provider cannot", so that a
small provider stays small and nothing is ever promised that it does not do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.redaction import evidence_line
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.provider import Asked, SessionRules, UpstreamRequest


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


def whole_question(path: str, params: Mapping[str, str]) -> tuple[str, ...]:
    """The subject of a question nobody knows better: all of it, so nothing of it may change."""
    return (path, *(f"{name}={value}" for name, value in sorted(params.items())))


def no_substitute(path: str, params: Mapping[str, str], instrument: str) -> Asked | None:  # noqa: ARG001 (a default)
    """For a provider whose questions name no instrument."""
    return None


def no_daily(path: str, params: Mapping[str, str], now: datetime) -> Asked | None:  # noqa: ARG001 (a default)
    """For a provider without bars."""
    return None


def no_merger(questions: Sequence[Asked]) -> Asked | None:  # noqa: ARG001 (a default)
    """For a provider that answers one question at a time."""
    return None


def no_part(reading: Reading, path: str, params: Mapping[str, str]) -> Reading | None:  # noqa: ARG001 (a default)
    """For a provider that merges nothing."""
    return None


def no_rendering(
    reading: Reading,  # noqa: ARG001 (a default)
    path: str,  # noqa: ARG001
    params: Mapping[str, str],  # noqa: ARG001
    now: datetime,  # noqa: ARG001
) -> bytes | None:
    """For a provider whose form nobody here can write."""
    return None


def no_glance(response: Response, line: RequestLine) -> tuple[Verdict, Reading] | None:  # noqa: ARG001 (a default)
    """For a provider whose answers are always looked at with care."""
    return None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A `Provider` by its functions; see there for what each does."""

    name: str
    request: BuildRequest
    classify: Callable[[Response, RequestLine], Verdict]
    read: Callable[[bytes, RequestLine], Reading | Unreadable]
    smaller: Callable[[Endpoint, Mapping[str, str], float, datetime], Asked | None]
    subject: Callable[[str, Mapping[str, str]], tuple[str, ...]] = whole_question
    substituted: Callable[[str, Mapping[str, str], str], Asked | None] = no_substitute
    daily: Callable[[str, Mapping[str, str], datetime], Asked | None] = no_daily
    merged: Callable[[Sequence[Asked]], Asked | None] = no_merger
    part: Callable[[Reading, str, Mapping[str, str]], Reading | None] = no_part
    rendered: Callable[[Reading, str, Mapping[str, str], datetime], bytes | None] = no_rendering
    session: SessionRules | None = None
    glance: Callable[[Response, RequestLine], tuple[Verdict, Reading] | None] = no_glance

    def examine(self, response: Response, line: RequestLine) -> tuple[Verdict, Reading | None]:
        """Judge a response and, where it is good, read it: at a glance where that tells all."""
        glanced = self.glance(response, line)
        if glanced is not None:
            return glanced
        verdict = self.classify(response, line)
        if not verdict.is_ok:
            return verdict, None
        read = self.read(response.body, line)
        if isinstance(read, Unreadable):
            return Verdict(FailureClass.INVALID_DATA, evidence_line(read.evidence)), None
        return verdict, read
