"""What a reader asks, made a `Question`: of the catalog, and about what its endpoint is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.errors import AnotherQuestionError, ConfigurationError
from healing_pipeline.healing.account import Question
from healing_pipeline.healing.facts import Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import request_key
from healing_pipeline.healing.parts import Parts
from healing_pipeline.providers.provider import Provider


def question_of(
    parts: Parts,
    endpoint_id: str,
    *,
    origin: Origin,
    params: Mapping[str, str] | None = None,
    path: str | None = None,
    accepts: frozenset[Fidelity] | None = None,
    incident_id: int | None = None,
) -> Question:
    """Begin a question; see `HealingEngine.fetch` for what each part of it means.

    Raises
    ------
    ConfigurationError
        If the catalog has no such endpoint.
    AnotherQuestionError
        If `params` or `path` ask for another subject.
    """
    endpoint = parts.catalog.endpoints.get(endpoint_id)
    if endpoint is None:
        raise ConfigurationError(
            f"The catalog has no endpoint '{endpoint_id}'.",
            "Add it to the configuration, or see `healing probe` for those there are.",
        )
    source = parts.catalog.sources[endpoint.source]
    provider = parts.provider_of(endpoint)
    key = ""
    if params or path is not None:
        key = request_key(endpoint, params, path)
        _require_same_subject(endpoint, provider, params, path)
    began_at, began = parts.moment()
    question = Question(
        request_id=parts.new_id(),
        endpoint=endpoint,
        source=source,
        provider=provider,
        params=params or None,
        path=path,
        key=key,
        accepts=endpoint.accepts if accepts is None else accepts,
        origin=origin,
        began_at=began_at,
        began=began,
        incident_id=incident_id,
    )
    if key and question.line == replace(question, params=None, path=None).line:
        # Said in other words (dates written out), yet the endpoint's own question.
        return replace(question, params=None, path=None, key="")
    return question


def _require_same_subject(
    endpoint: Endpoint,
    provider: Provider,
    params: Mapping[str, str] | None,
    path: str | None,
) -> None:
    own = provider.subject(endpoint.path, endpoint.params)
    asked = provider.subject(
        endpoint.path if path is None else path, {**endpoint.params, **(params or {})}
    )
    if own != asked:
        raise AnotherQuestionError(
            endpoint.id,
            f"{endpoint.id} is about {' '.join(own)}, asked was {' '.join(asked)}.",
            "Add an endpoint for it to the configuration; a reader may only change the window.",
        )
