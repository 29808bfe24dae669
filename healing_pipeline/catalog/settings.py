"""The settings above the sources: upstreams, witnesses, learning, alerts, dashboard.

They can be read alone, because the simulator's addresses depend on them and `load` needs those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.alert_section import read_alerts
from healing_pipeline.catalog.component_file import configuration_in
from healing_pipeline.catalog.document import Node, Scalar, Table, parse
from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.gateway_section import SECTION as GATEWAY
from healing_pipeline.catalog.gateway_section import GatewaySettings, read_gateway
from healing_pipeline.catalog.private_hosts import KEY as PRIVATE_HOSTS
from healing_pipeline.catalog.private_hosts import (
    is_named,
    read_private_hosts,
    takes_those_written,
)
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown
from healing_pipeline.catalog.reading import raise_first, read_text
from healing_pipeline.catalog.retention_section import SECTION as RETENTION
from healing_pipeline.catalog.retention_section import Retention, read_retention
from healing_pipeline.catalog.second_opinion_section import SECTION, read_second_opinion
from healing_pipeline.catalog.sharding_section import DEFAULT_PER_SENSOR, read_endpoints_per_sensor
from healing_pipeline.catalog.sharding_section import SECTION as SHARDING
from healing_pipeline.catalog.urls import is_private
from healing_pipeline.catalog.values import Upstreams
from healing_pipeline.second_opinion.settings import SecondOpinionSettings

UPSTREAMS_VARIABLE = "HEALING_UPSTREAMS"
DEFAULT_SIMULATOR_PORT = 8900
REQUIRED = ("upstreams", "sources", "endpoints")
DEFAULT_LEARNING_SINCE = date(2025, 11, 1)
# Three operators, three networks, each by name: a resolver that is down is our own outage too.
DEFAULT_WITNESSES = ("one.one.one.one:443", "dns.google:443", "dns.quad9.net:443")
OPTIONAL = (
    "simulator",
    PRIVATE_HOSTS,
    "learning",
    RETENTION,
    "witnesses",
    "alerts",
    "dashboard",
    GATEWAY,
    SHARDING,
    SECTION,
)
_WITNESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything but the sources and endpoints.

    Attributes
    ----------
    upstreams : Upstreams
        The environment's word before the file's.
    simulator_port : int
        First port of the simulated hosts.
    private_hosts : tuple of Scalar
        Hosts that may be in our own network, as they are written.
    takes_written_private : bool
        Whether those may too whose URLs say so.
    learning_since : date
        The first UTC day that can be learned from.
    witnesses : tuple of str
        ``host:port`` of who is asked whether our own connection is down.
    alerts : AlertSettings
        Who is told of what, when.
    public_status : bool
        Whether the status page and the badges are for everybody.
    second_opinion : SecondOpinionSettings or None
        Which language model is asked, if one is.
    retention : Retention
        How many days each kind of row is kept.
    gateway : GatewaySettings
        How much one client may ask.
    endpoints_per_sensor : int
        Sources with more are split into shards.
    """

    upstreams: Upstreams = Upstreams.SIMULATED
    simulator_port: int = DEFAULT_SIMULATOR_PORT
    private_hosts: tuple[Scalar, ...] = ()
    takes_written_private: bool = False
    learning_since: date = DEFAULT_LEARNING_SINCE
    witnesses: tuple[str, ...] = DEFAULT_WITNESSES
    alerts: AlertSettings = field(default_factory=AlertSettings)
    public_status: bool = False
    second_opinion: SecondOpinionSettings | None = None
    retention: Retention = field(default_factory=Retention)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    endpoints_per_sensor: int = DEFAULT_PER_SENSOR

    def lets_inside(self, host: str, port: int) -> bool:
        """Whether a host may be in our own network, because the file names it."""
        shown_host = f"[{host}]" if ":" in host else host
        if self.takes_written_private and is_private(f"//{shown_host}:{port}"):
            return True
        return is_named((host, port), [each.text for each in self.private_hosts])


def load_settings(path: Path, *, environ: Mapping[str, str]) -> Settings:
    """Read the settings of the configuration at `path`, whatever its sources hold.

    Raises
    ------
    ConfigurationError
        If the file cannot be read as YAML, or one of the settings is wrong.
    """
    findings = Findings()
    document = configuration_in(parse(read_text(path), findings), findings)
    settings_keys = {"upstreams", *OPTIONAL}
    if isinstance(document, Table):
        own = tuple(entry for entry in document.entries if entry[0].text in settings_keys)
        document = Table(document.line, own)
    root = open_root(document, path, findings, required=("upstreams",))
    settings = read_settings(root, environ, findings) if root else Settings()
    raise_first(path, findings.in_order())
    return settings


def open_root(
    document: Node | None,
    path: Path,
    findings: Findings,
    required: tuple[str, ...] = REQUIRED,
) -> Fields | None:
    """The top level's fields; None, with a problem, when there is no mapping."""
    if not isinstance(document, Table):
        if not findings.in_order():
            is_empty = document is None or (isinstance(document, Scalar) and document.is_null)
            what = "is empty" if is_empty else "is not a mapping"
            findings.error(
                1,
                f"The configuration {shown(path.name)} {what}.",
                f"It needs the keys {listed(REQUIRED)}; `healing init` writes a complete one.",
            )
        return None
    return Fields(
        document,
        what="the configuration",
        line=1,
        required=required,
        optional=OPTIONAL,
        findings=findings,
    )


def read_settings(root: Fields, environ: Mapping[str, str], findings: Findings) -> Settings:
    """The settings among the top level's fields; what is wrong falls back to its default."""
    port = None
    simulator = root.node("simulator")
    if simulator is not None:
        port = Fields(
            simulator,
            what="`simulator`",
            line=simulator.line,
            required=("port",),
            optional=(),
            findings=findings,
        ).whole("port", 1024, 65000)
    private = read_private_hosts(root, findings)
    return Settings(
        upstreams=_upstreams(root, environ, findings),
        simulator_port=DEFAULT_SIMULATOR_PORT if port is None else port,
        private_hosts=private,
        takes_written_private=takes_those_written(root),
        learning_since=_learning_since(root, findings) or DEFAULT_LEARNING_SINCE,
        witnesses=_witnesses(root, findings, private, takes_those_written(root)),
        alerts=read_alerts(root, findings),
        public_status=_public_status(root, findings),
        second_opinion=read_second_opinion(root, environ, findings),
        retention=read_retention(root, findings),
        gateway=read_gateway(root, findings),
        endpoints_per_sensor=read_endpoints_per_sensor(root, findings),
    )


def _public_status(root: Fields, findings: Findings) -> bool:
    dashboard = root.node("dashboard")
    if dashboard is None:
        return False
    fields = Fields(
        dashboard,
        what="`dashboard`",
        line=dashboard.line,
        required=(),
        optional=("public",),
        findings=findings,
    )
    return fields.flag("public") or False


def _witnesses(
    root: Fields, findings: Findings, private: tuple[Scalar, ...], takes_written: bool
) -> tuple[str, ...]:
    if root.node("witnesses") is None:
        return DEFAULT_WITNESSES
    written = root.texts("witnesses")
    kept: list[str] = []
    for each in written:
        if _WITNESS.fullmatch(each.text) is None or not 0 < int(each.text.split(":")[1]) < 65536:
            findings.error(
                each.line,
                f"The witness {shown(each.text)} is no host and port.",
                f"Write `witnesses: [{DEFAULT_WITNESSES[0]}]`, or `[]` to ask nobody.",
            )
            continue
        kept.append(each.text)
        host, port = each.text.lower().split(":")
        if is_private(f"//{each.text}") and not (
            takes_written or is_named((host, int(port)), [allowed.text for allowed in private])
        ):
            findings.error(
                each.line,
                f"The witness {shown(each.text)} is in a private network.",
                f"Name a public one, or set `{PRIVATE_HOSTS}: [{each.text}]` at the top.",
            )
    return tuple(kept)


def _learning_since(root: Fields, findings: Findings) -> date | None:
    learning = root.node("learning")
    if learning is None:
        return None
    written = Fields(
        learning,
        what="`learning`",
        line=learning.line,
        required=("since",),
        optional=(),
        findings=findings,
    ).text("since")
    if written is None:
        return None
    try:
        return date.fromisoformat(written.text)
    except ValueError:
        findings.error(
            written.line,
            f"`since` of `learning` is {shown(written.text)}.",
            f"Write a day as YYYY-MM-DD: {DEFAULT_LEARNING_SINCE}.",
        )
        return None


def _upstreams(root: Fields, environ: Mapping[str, str], findings: Findings) -> Upstreams:
    names = [each.value for each in Upstreams]
    written = root.text("upstreams")
    line = 1 if written is None else written.line
    chosen = None if written is None else written.text
    if chosen is not None and chosen not in names:
        findings.error(
            line,
            f"`upstreams` is {shown(chosen)}.",
            f"{did_you_mean(chosen, names)}Write `real` or `simulated`.",
        )
        chosen = None
    from_environment = environ.get(UPSTREAMS_VARIABLE, "").strip()
    if from_environment and from_environment not in names:
        findings.error(
            line,
            f"The environment variable {UPSTREAMS_VARIABLE} is {shown(from_environment)}.",
            f"Set it to `real` or `simulated`, or `unset {UPSTREAMS_VARIABLE}`.",
        )
        from_environment = ""
    return Upstreams(from_environment or chosen or Upstreams.SIMULATED)
