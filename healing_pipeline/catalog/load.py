"""A configuration file to a `Catalog`, or to the list of all that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from healing_pipeline.catalog.alert_section import check_channels
from healing_pipeline.catalog.component_file import configuration_in
from healing_pipeline.catalog.document import Table, parse
from healing_pipeline.catalog.endpoints import read_endpoints
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.private_hosts import report_unused
from healing_pipeline.catalog.problems import Findings, Problem
from healing_pipeline.catalog.reading import raise_first, read_text
from healing_pipeline.catalog.retention_section import check_quotas
from healing_pipeline.catalog.settings import UPSTREAMS_VARIABLE, open_root, read_settings
from healing_pipeline.catalog.sources import Surroundings, read_sources
from healing_pipeline.catalog.urls import origin_of
from healing_pipeline.catalog.values import Catalog, Endpoint, Source, Upstreams
from healing_pipeline.errors import ConfigurationError


def check(
    text: str,
    *,
    path: Path,
    environ: Mapping[str, str],
    providers: Collection[str],
    simulated_hosts: Mapping[tuple[str, str], str] | None = None,
    simulated_keys: Mapping[tuple[str, str], str] | None = None,
) -> list[Problem]:
    """All problems of a configuration's text, in the order of the file; empty when it is fine.

    Parameters
    ----------
    text : str
        The YAML document. Any text at all: nothing is raised.
    path : Path
        Where it stands; used in messages only.
    environ : Mapping[str, str]
        The environment variables, which hold the secrets and may override `upstreams`.
    providers : collection of str
        Names of the providers there is code for.
    simulated_hosts : Mapping[tuple[str, str], str], optional
        The simulator's URL by (source, host). None: simulated addresses are not judged.
    simulated_keys : Mapping[tuple[str, str], str], optional
        The simulator's secret by (source, key name). None: simulated keys are not judged.
    """
    surroundings = Surroundings(environ, providers, simulated_hosts, simulated_keys)
    return _read(text, path, surroundings)[1]


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    providers: Collection[str],
    simulated_hosts: Mapping[tuple[str, str], str] | None = None,
    simulated_keys: Mapping[tuple[str, str], str] | None = None,
) -> Catalog:
    """Read the catalog at `path`; parameters are those of `check`.

    When `upstreams` is simulated, `simulated_hosts` and `simulated_keys` take the place of the
    sources' own base URLs and secrets, so that nothing can reach a real provider, and every
    calendar becomes `always`.

    Raises
    ------
    ConfigurationError
        If there is no such file, or anything in it is an error: the first, with its line and
        cure, and how many more there are. Warnings do not stop; `check` lists them.
    """
    surroundings = Surroundings(environ, providers, simulated_hosts, simulated_keys)
    catalog, problems = _read(read_text(path), path, surroundings)
    raise_first(path, problems)
    assert catalog is not None, "a document without errors has a catalog"
    if catalog.upstreams is Upstreams.SIMULATED and None in (simulated_hosts, simulated_keys):
        raise ConfigurationError(
            "Upstreams are simulated, and the simulator's addresses and keys were not given.",
            "Pass simulated_hosts and simulated_keys to load(), or set `upstreams: real`"
            f" (here, or with {UPSTREAMS_VARIABLE}=real).",
            path=path,
        )
    return catalog


Timed = TypeVar("Timed", Source, Endpoint)


def _never_closing(timed: Timed) -> Timed:
    return timed if timed.calendar is None else replace(timed, calendar=Calendar.ALWAYS)


def _read(
    text: str, path: Path, surroundings: Surroundings
) -> tuple[Catalog | None, list[Problem]]:
    findings = Findings()
    root = open_root(configuration_in(parse(text, findings), findings), path, findings)
    if root is None:
        return None, findings.in_order()
    settings = read_settings(root, surroundings.environ, findings)
    sources, endpoints = root.node("sources"), root.node("endpoints")
    by_name = {}
    if sources is not None:
        by_name = read_sources(sources, settings, surroundings, findings)
    # an endpoint of a source that has mistakes of its own is not also an orphan
    named = {key.text for key, _ in sources.entries} if isinstance(sources, Table) else set()
    calendars = {name: source.calendar for name, source in by_name.items()}
    by_id = {}
    if endpoints is not None:
        speaking = {name: source.provider for name, source in by_name.items()}
        by_id = read_endpoints(endpoints, named, findings, calendars, speaking)
    check_channels(
        root,
        sources=named,
        owners={each.owner for each in by_id.values() if each.owner is not None},
        environ=surroundings.environ,
        findings=findings,
    )
    check_quotas(
        root,
        settings.retention,
        {name for name, source in by_name.items() if source.quota.per_month is not None},
        findings,
    )
    if settings.upstreams is Upstreams.SIMULATED:
        # The simulator's market never closes.
        by_name = {name: _never_closing(source) for name, source in by_name.items()}
        by_id = {each: _never_closing(endpoint) for each, endpoint in by_id.items()}
    places = {
        *(origin_of(host.base_url)[1:] for each in by_name.values() for host in each.hosts),
        *(origin_of(f"//{each}")[1:] for each in settings.witnesses),
    }
    if settings.upstreams is Upstreams.REAL:
        report_unused(settings.private_hosts, places, findings)
    catalog = Catalog(
        MappingProxyType(by_name),
        MappingProxyType(by_id),
        settings.upstreams,
        settings.witnesses,
        settings.alerts,
        settings.second_opinion,
        frozenset(each for each in places if settings.lets_inside(*each)),
    )
    return catalog, findings.in_order()
