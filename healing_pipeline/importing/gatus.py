"""A configuration of Gatus (its `config.yaml`), as its manual describes it.

Every entry of `endpoints`, `external-endpoints` and `suites` becomes a check or a `LeftOut`; every
other section and every key of an endpoint is read or noted.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.importing.checks import Check, Found, LeftOut, named
from healing_pipeline.importing.durations import seconds_in
from healing_pipeline.importing.gatus_conditions import read_conditions
from healing_pipeline.importing.marks import has_variable, marked, readable
from healing_pipeline.importing.plain_yaml import Value

TOOL = "Gatus"
_SECTIONS = ("endpoints", "external-endpoints", "suites")
_INTERVAL_S = 60.0

# What an endpoint of Gatus asks that is no URL of HTTP, by its scheme.
_KINDS = {
    "icmp": "pings a host (ICMP)",
    "tcp": "opens a TCP connection",
    "udp": "sends UDP",
    "sctp": "opens an SCTP connection",
    "starttls": "looks at a mail server's certificate",
    "tls": "looks at a certificate",
    "ws": "opens a WebSocket",
    "wss": "opens a WebSocket",
    "ssh": "signs in by SSH",
    "grpc": "calls gRPC",
    "grpcs": "calls gRPC",
    "domain": "looks a domain's registration up",
}
_KINDS_BY_SECTION = {"dns": "asks a name server", "grpc": "calls gRPC", "ssh": "signs in by SSH"}
_ONLY_GET = "only GET over HTTP is carried over"
# Settings of the client without which another answer comes.
_CHANNELS = {
    "oauth2": "gets a token by OAuth 2.0 first",
    "identity-aware-proxy": "signs in at Google's Identity-Aware Proxy",
    "tls": "shows a certificate of its own",
    "proxy-url": "goes through a proxy",
    "tunnel": "goes through a tunnel",
}
_CLIENT_NOTES = {
    "insecure": "certificates are always verified",
    "ignore-redirect": "redirects are followed, to hosts of the configuration alone",
    "dns-resolver": "the system's resolver is asked",
    "network": "an address of either family is taken",
}
_READ = frozenset(
    {"name", "group", "url", "method", "interval", "headers", "body", "graphql", "conditions"}
    | {"alerts", "client", "enabled", "dns", "ssh"}
)
_ELSEWHERE = {
    "alerting": "channels are Apprise addresses in environment variables: see `alerts` in the file",
    "maintenance": "`healing alerts maintenance` keeps alerts quiet for a time",
    "security": "the gateway asks for a token of its own beyond loopback",
    "storage": "what is seen is kept in PostgreSQL",
}

Mapping = dict[str, Value]


def is_gatus(root: Value) -> bool:
    """Whether a document has a section of Gatus' that lists monitors."""
    return isinstance(root, dict) and any(isinstance(root.get(each), list) for each in _SECTIONS)


def read_gatus(root: Value) -> Found:
    """All monitors of a configuration for which `is_gatus` is true.

    Raises
    ------
    ConfigurationError
        If an entry is none.
    """
    assert isinstance(root, dict), "asked before"
    checks: list[Check] = []
    left_out: list[LeftOut] = []
    for number, each in enumerate(_entries(root, "endpoints"), 1):
        found = _endpoint(each, number)
        if isinstance(found, Check):
            checks.append(found)
        else:
            left_out.append(found)
    for number, each in enumerate(_entries(root, "external-endpoints"), 1):
        why = "its status is told to Gatus by another program, and nothing is asked"
        left_out.append(LeftOut(_name(each, number), why))
    for number, each in enumerate(_entries(root, "suites"), 1):
        why = "its steps build on each other; an endpoint stands alone"
        left_out.append(LeftOut(_name(each, number), why))
    notes = [
        f"section `{name}` is not carried over"
        + (f": {_ELSEWHERE[name]}" if name in _ELSEWHERE else "")
        for name in (named(each, 0) for each in root)
        if name not in _SECTIONS
    ]
    return Found(TOOL, tuple(checks), tuple(left_out), tuple(notes))


def _entries(root: Mapping, section: str) -> list[Mapping]:
    entries = root.get(section)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ConfigurationError(
            f"`{section}` is no list of mappings, which Gatus would not take.",
            "Compare it with Gatus' manual. Nothing was written.",
        )
    return [each for each in entries if isinstance(each, dict)]


def _name(entry: Mapping, number: int) -> str:
    parts = [readable(marked(_text(entry.get(key)))) for key in ("group", "name")]
    return named("/".join(each for each in parts if each.strip()), number)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _endpoint(entry: Mapping, number: int) -> Check | LeftOut:
    name = _name(entry, number)
    url = marked(_text(entry.get("url")).strip())
    why = _why_not(entry, url)
    if why is not None:
        return LeftOut(name, why)
    conditions = _conditions(entry)
    if conditions is None:
        return LeftOut(name, "`conditions` is no list of texts")
    read = read_conditions(conditions)
    if read.why_not is not None:
        return LeftOut(name, read.why_not)
    client = entry.get("client")
    settings = client if isinstance(client, dict) else {}
    headers = entry.get("headers")
    notes = list(read.notes)
    interval_s = _interval(entry, notes)
    timeout = _text(settings.get("timeout"))
    notes += [
        f"`client.{key}`: {_CLIENT_NOTES.get(key, 'is not carried over')}"
        for key in (named(each, 0) for each in settings)
        if key != "timeout" and settings.get(key) not in (None, "false")
    ]
    if entry.get("alerts"):
        notes.append("its alerts are not carried over: see `alerts` in the file")
    notes += [
        f"`{key}` is not carried over"
        for key in (named(each, 0) for each in entry)
        if key not in _READ
    ]
    return Check(
        name=name,
        url=url,
        interval_s=interval_s,
        expect=read.expect,
        deadline_s=seconds_in(timeout),
        headers=tuple(
            (key, marked(_text(value)))
            for key, value in (headers.items() if isinstance(headers, dict) else ())
        ),
        notes=tuple(notes),
    )


def _why_not(entry: Mapping, url: str) -> str | None:
    """What keeps an endpoint from being asked here."""
    if _text(entry.get("enabled")) == "false":
        return "it is switched off there"
    for section, kind in _KINDS_BY_SECTION.items():
        if entry.get(section) is not None:
            return f"{kind}; {_ONLY_GET}"
    if has_variable(url.partition("://")[0]):
        return "its URL begins with a variable"
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return "its URL cannot be read"
    if scheme not in {"http", "https"}:
        kind = _KINDS.get(scheme, "has no URL of HTTP")
        return f"{kind}; {_ONLY_GET}"
    method = _text(entry.get("method")).strip().upper() or "GET"
    if method != "GET" or _text(entry.get("graphql")) == "true":
        shown = "POST" if method == "GET" else named(method, 0)
        return f"asks by {shown}; {_ONLY_GET}"
    if _text(entry.get("body")).strip():
        return f"sends a body; {_ONLY_GET}"
    client = entry.get("client")
    for key in client if isinstance(client, dict) else ():
        if key in _CHANNELS:
            return f"{_CHANNELS[key]}, which is not supported"
    return None


def _conditions(entry: Mapping) -> list[str] | None:
    conditions = entry.get("conditions")
    if conditions is None:
        return []
    if not isinstance(conditions, list):
        return None
    texts = [each for each in conditions if isinstance(each, str)]
    return texts if len(texts) == len(conditions) else None


def _interval(entry: Mapping, notes: list[str]) -> float:
    text = _text(entry.get("interval")).strip()
    if not text:
        return _INTERVAL_S
    found = seconds_in(text)
    if found is None:
        notes.append(f"`interval` cannot be read: it became {_INTERVAL_S:g} s")
        return _INTERVAL_S
    return found
