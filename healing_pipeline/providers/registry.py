"""Which providers there are: ours, and those that other packages announce.

A package of a user's own adds one by an entry point in the group ``healing_pipeline.providers``,
whose value is a `Provider` or a class that makes one without arguments::

    [project.entry-points."healing_pipeline.providers"]
    acme = "acme_healing:ACME"

where ``ACME = Spoken("acme", request, classify, read, smaller)`` is all there need be to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import cast

from healing_pipeline.catalog.values import Catalog, Endpoint, Source
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.providers.alpha_vantage.provider import ALPHA_VANTAGE
from healing_pipeline.providers.exchange_rate.provider import EXCHANGE_RATE
from healing_pipeline.providers.fred.provider import FRED
from healing_pipeline.providers.json_api.provider import JSON_API, json_api
from healing_pipeline.providers.polygon.provider import POLYGON
from healing_pipeline.providers.provider import Provider
from healing_pipeline.providers.yahoo.provider import YAHOO

GROUP = "healing_pipeline.providers"

_BUILT_IN: tuple[Provider, ...] = (
    YAHOO, FRED, POLYGON, ALPHA_VANTAGE, EXCHANGE_RATE, JSON_API,
)  # fmt: skip

PROVIDERS: Mapping[str, Provider] = MappingProxyType({each.name: each for each in _BUILT_IN})

_METHODS = (
    "request",
    "classify",
    "read",
    "smaller",
    "examine",
    "subject",
    "substituted",
    "daily",
    "merged",
    "part",
    "rendered",
)
_SESSION_METHODS = ("ask", "token", "applied")
_loaded: dict[str, Provider] = {}


def provider_named(name: str) -> Provider:
    """The provider `name`: one of ours, else one that an installed package announces.

    Raises
    ------
    ConfigurationError
        When nobody offers it, or when the package that does cannot be used.
    """
    if name in PROVIDERS:
        return PROVIDERS[name]
    if name not in _loaded:
        announced = {each.name: each for each in entry_points(group=GROUP)}
        if name not in announced:
            known = ", ".join(sorted({*PROVIDERS, *announced}))
            raise ConfigurationError(
                f"Unknown provider {name!r}.",
                f"Use one of {known}, or install a package with an entry point {name!r} in the "
                f"group {GROUP!r}.",
            )
        _loaded[name] = _load(announced[name])
    return _loaded[name]


def provider_of(source: Source, endpoint: Endpoint) -> Provider:
    """Whoever speaks for an endpoint of `source`, by the endpoint's own rules where it has some."""
    if source.provider == JSON_API.name:
        return json_api(source, endpoint)
    return provider_named(source.provider)


def providers_of(catalog: Catalog) -> Mapping[str, Provider]:
    """The providers of a catalog by name, and by endpoint's id those for one endpoint alone."""
    return {
        **{each.provider: provider_named(each.provider) for each in catalog.sources.values()},
        **{
            each.id: provider_of(source, each)
            for each in catalog.endpoints.values()
            if (source := catalog.sources[each.source]).provider == JSON_API.name
        },
    }


def _load(entry: EntryPoint) -> Provider:
    cure = f"Mend or uninstall the package that announces it ({entry.value})."
    try:
        found = entry.load()
        provider = found() if isinstance(found, type) else found
    except Exception as exc:  # anything can go wrong in a stranger's import
        raise ConfigurationError(
            f"The provider {entry.name!r} cannot be loaded: {type(exc).__name__}: {exc}.", cure
        ) from exc
    if lacking := _lacking(provider):
        raise ConfigurationError(
            f"The provider {entry.name!r} has no {lacking}.",
            "Make it with `healing_pipeline.providers.spoken.Spoken`, which has a default for "
            f"whatever a provider cannot do, or uninstall its package ({entry.value}).",
        )
    if getattr(provider, "name", None) != entry.name:
        problem = f"The provider {entry.name!r} goes by another name than its entry point."
        raise ConfigurationError(problem, cure)
    return cast(Provider, provider)


def _lacking(provider: object) -> str:
    """The first thing of the protocol that is missing, in words; empty when all is there."""
    for each in _METHODS:
        if not callable(getattr(provider, each, None)):
            return f"{each}()"
    if not hasattr(provider, "session"):
        return "session"
    session = provider.session
    missing = [each for each in _SESSION_METHODS if not callable(getattr(session, each, None))]
    return f"session.{missing[0]}()" if session is not None and missing else ""


def provider_names() -> frozenset[str]:
    """Names of all providers there is code for, announced ones included."""
    return frozenset({*PROVIDERS, *(each.name for each in entry_points(group=GROUP))})
