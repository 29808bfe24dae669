"""The sources: providers, hosts, keys and quotas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from healing_pipeline.catalog.document import Node, Scalar
from healing_pipeline.catalog.fields import Fields, as_table, as_text
from healing_pipeline.catalog.json_key_section import read_key_in
from healing_pipeline.catalog.json_section import OF_A_SOURCE, PROVIDER, refuse_elsewhere
from healing_pipeline.catalog.keys import read_keys
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.names import is_name, is_source, name_cure
from healing_pipeline.catalog.private_hosts import KEY as PRIVATE_HOSTS
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown
from healing_pipeline.catalog.settings import Settings
from healing_pipeline.catalog.urls import is_private, origin_of, url_mistake
from healing_pipeline.catalog.values import Host, Quota, Source, Upstreams

MOST_CALLS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the file's meaning depends on and does not hold.

    Attributes
    ----------
    environ : Mapping[str, str]
        The environment variables; the only place a real secret comes from.
    providers : collection of str
        Names of the providers there is code for.
    simulated_hosts : Mapping[tuple[str, str], str] or None
        URL by (source, host); None when not known.
    simulated_keys : Mapping[tuple[str, str], str] or None
        Secret by (source, key name); None when not known.
    """

    environ: Mapping[str, str]
    providers: Collection[str]
    simulated_hosts: Mapping[tuple[str, str], str] | None
    simulated_keys: Mapping[tuple[str, str], str] | None


def read_sources(
    node: Node, settings: Settings, surroundings: Surroundings, findings: Findings
) -> dict[str, Source]:
    """The sources by name; one with an error may be missing or incomplete."""
    table = as_table(node, "`sources`", node.line, findings)
    if table is None:
        return {}
    sources: dict[str, Source] = {}
    for name, value in table.entries:
        if not is_source(name.text):
            findings.error(
                name.line,
                f"A source cannot be called {shown(name.text)}.",
                "Use small letters, digits and `_`, for example `exchange_rate`.",
            )
            continue
        sources[name.text] = _source(name, value, settings, surroundings, findings)
    return sources


def _source(
    name: Scalar, node: Node, settings: Settings, surroundings: Surroundings, findings: Findings
) -> Source:
    fields = Fields(
        node,
        what=f"source {shown(name.text)}",
        line=name.line,
        required=("hosts",),
        optional=("provider", "keys", "quota", "probe_share", "calendar", *OF_A_SOURCE),
        findings=findings,
    )
    provider = fields.text("provider") or name
    if provider.text not in surroundings.providers:
        known = sorted(surroundings.providers)
        findings.error(
            provider.line,
            f"There is no provider {shown(provider.text)} for source {shown(name.text)}.",
            f"{did_you_mean(provider.text, known)}Set `provider:` to one of {listed(known)}, or"
            " install the package that has it.",
        )
    hosts, keys = fields.node("hosts"), fields.node("keys")
    calendar = fields.choice("calendar", [each.value for each in Calendar])
    key_in = None
    if provider.text == PROVIDER:
        key_in = read_key_in(fields, has_keys=keys is not None, findings=findings)
    else:
        refuse_elsewhere(fields, OF_A_SOURCE, provider.text, findings)
    quota, probe_share = fields.node("quota"), fields.number("probe_share", 0, 1)
    return Source(
        name=name.text,
        provider=provider.text,
        hosts=() if hosts is None else _hosts(hosts, name, settings, surroundings, findings),
        keys=()
        if keys is None
        else read_keys(
            keys,
            name,
            environ=surroundings.environ,
            simulated=surroundings.simulated_keys,
            is_simulated=settings.upstreams is Upstreams.SIMULATED,
            findings=findings,
        ),
        quota=Quota() if quota is None else _quota(quota, name, findings),
        calendar=None if calendar is None else Calendar(calendar),
        key_in=key_in,
        **({} if probe_share is None else {"probe_share": probe_share}),
    )


def _hosts(
    node: Node,
    source: Scalar,
    settings: Settings,
    surroundings: Surroundings,
    findings: Findings,
) -> tuple[Host, ...]:
    table = as_table(node, f"`hosts` of source {shown(source.text)}", node.line, findings)
    if table is None:
        return ()
    if not table.entries:
        findings.error(
            node.line,
            f"Source {shown(source.text)} has no host.",
            "Add one under `hosts`: `api: https://api.example.com`.",
        )
    hosts: list[Host] = []
    is_simulated = settings.upstreams is Upstreams.SIMULATED
    for name, value in table.entries:
        if not is_name(name.text):
            problem = f"A host cannot be called {shown(name.text)}."
            findings.error(name.line, problem, name_cure("api"))
            continue
        what = f"host {shown(name.text)} of source {shown(source.text)}"
        url = as_text(value, what, findings)
        if url is None:
            continue
        mistake = url_mistake(url.text)
        if mistake is not None:
            findings.error(url.line, *mistake)
            continue
        base_url = url.text
        if is_simulated:
            base_url = _simulated_url(name, source, surroundings, findings)
        elif is_private(url.text) and not settings.lets_inside(*origin_of(url.text)[1:]):
            findings.error(
                url.line,
                f"The {what} is in a private network: {shown(url.text)}.",
                "Name a public host, or set "
                f"`{PRIVATE_HOSTS}: [{urlsplit(url.text).netloc}]` at the top of the file.",
            )
        hosts.append(Host(name.text, base_url))
    return tuple(hosts)


def _simulated_url(
    name: Scalar, source: Scalar, surroundings: Surroundings, findings: Findings
) -> str:
    if surroundings.simulated_hosts is None:
        return ""
    url = surroundings.simulated_hosts.get((source.text, name.text))
    if url is None:
        offered = sorted(
            host for where, host in surroundings.simulated_hosts if where == source.text
        )
        cure = "Drop the source, or set `upstreams: real`."
        if offered:
            cure = f"Call it one of {listed(offered)}, remove it, or set `upstreams: real`."
        findings.error(
            name.line,
            f"The simulator has no host {shown(name.text)} for source {shown(source.text)}.",
            cure,
        )
    return url or ""


def _quota(node: Node, source: Scalar, findings: Findings) -> Quota:
    fields = Fields(
        node,
        what=f"`quota` of source {shown(source.text)}",
        line=node.line,
        required=(),
        optional=("per_minute", "per_day", "per_month"),
        findings=findings,
    )
    return Quota(
        per_minute=fields.whole("per_minute", 1, MOST_CALLS),
        per_day=fields.whole("per_day", 1, MOST_CALLS),
        per_month=fields.whole("per_month", 1, MOST_CALLS),
    )
