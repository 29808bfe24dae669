"""From a request's target to a question about a catalogued endpoint, or to a problem.

Nothing that a reader writes becomes a URL here: a target names an endpoint of the configuration,
and the endpoint's own host is asked. What a reader may add is a window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import parse_qsl, unquote

from healing_pipeline.catalog.values import Catalog, Endpoint, Source
from healing_pipeline.providers.provider import Provider
from healing_pipeline.web.dialects import Heard, assumed, heard, shown, without_secrets
from healing_pipeline.web.nearest import Nearest
from healing_pipeline.web.problems import Problem

MOST_BYTES = 4096
# Targets repeat; a client with ever new windows must not fill the memory.
MOST_KNOWN = 4096

BY_NAME, BY_PATH = b"/v1/", b"/proxy/"

# Encoded slash, backslash, dot and NUL: ways to say a path that is not the one that is read.
_TRICKS = (b"%2f", b"%5c", b"%2e", b"%00", b"\\", b"//", b"/./", b"/../")


@dataclass(frozen=True, slots=True)
class Question:
    """What the engine is asked.

    Attributes
    ----------
    params, path
        The reader's own; None where the endpoint's are meant.
    rendered_as : Mapping[str, str] or None
        Parameters of the form that the reader wants, where the engine reads another.
    as_key : str or None
        What stood where the provider's key would be; never sent on.
    """

    endpoint: str
    params: Mapping[str, str] | None = None
    path: str | None = None
    rendered_as: Mapping[str, str] | None = None
    as_key: str | None = field(default=None, repr=False)


class Questions:
    """Reads targets; remembers what it made of them.

    Parameters
    ----------
    catalog : Catalog
    providers : Mapping[str, Provider]
        By provider name.
    now : callable
        Aware UTC.
    """

    def __init__(
        self, catalog: Catalog, providers: Mapping[str, Provider], now: Callable[[], datetime]
    ) -> None:
        self._catalog = catalog
        self._now = now
        self._providers = {
            name: providers[source.provider] for name, source in catalog.sources.items()
        }
        self._by_subject: dict[tuple[str, tuple[str, ...]], Endpoint] = {}
        for each in catalog.endpoints.values():
            subject = self._providers[each.source].subject(each.path, each.params)
            self._by_subject.setdefault((each.source, subject), each)
        self._known: dict[tuple[bytes, bytes], Question | Problem] = {}
        self._most_known = max(MOST_KNOWN, 2 * len(catalog.endpoints))
        self._nearest = Nearest(catalog.endpoints)
        self._asked = {
            name: {shown(each.path, each.params): each.id for each in catalog.endpoints_of(name)}
            for name in catalog.sources
        }
        self._nearest_asked = {name: Nearest(asked) for name, asked in self._asked.items()}

    def of(self, path: bytes, query: bytes) -> Question | Problem:
        """The question of a target below ``/v1/`` or ``/proxy/``, as it came over the wire."""
        known = self._known.get((path, query))
        if known is not None:
            return known
        if len(path) + len(query) > MOST_BYTES:
            return Problem("too-long", f"The target has {len(path) + len(query):,} bytes.")
        found = self._read(path, query)
        if len(self._known) >= self._most_known:
            self._known.pop(next(iter(self._known)))
        self._known[path, query] = found
        return found

    def _read(self, path: bytes, query: bytes) -> Question | Problem:
        trick = next((each for each in _TRICKS if each in path.lower()), None)
        if trick is not None or path.endswith((b"/..", b"/.")):
            return Problem(
                "bad-request",
                f"The path holds {(trick or b'..').decode()!r}. Write it as the catalogue does.",
            )
        try:
            text = unquote(path.decode("ascii"), errors="strict")
            pairs = parse_qsl(
                query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=64
            )
        except (UnicodeDecodeError, ValueError):
            return Problem(
                "bad-request", "The target is not UTF-8 in percent-encoding, or has over 64 fields."
            )
        if not text.isprintable() or not all((name + value).isprintable() for name, value in pairs):
            return Problem("bad-request", "The target holds a control character.")
        if "{" in text or any("{" in value for _, value in pairs):
            return Problem("bad-request", "Date marks are the catalogue's. Write dates out.")
        params = dict(pairs)
        if len(params) != len(pairs):
            return Problem("bad-request", "A parameter is given twice. Give each once.")
        if path.startswith(BY_NAME):
            return self._named(text.removeprefix("/v1/"), without_secrets(params))
        source, _, rest = text.removeprefix("/proxy/").partition("/")
        return self._proxied(source, "/" + rest, params)

    def _named(self, name: str, params: Mapping[str, str]) -> Question | Problem:
        if name in self._catalog.endpoints:
            return Question(name, params or None)
        near = self._nearest.to(name, cutoff=0.4)
        return Problem(
            "unknown-endpoint",
            f"There is no endpoint {name!r}. {_did_you_mean(near)}/docs lists all.",
            {"nearest": near},
        )

    def _proxied(self, name: str, path: str, params: Mapping[str, str]) -> Question | Problem:
        source = self._catalog.sources.get(name)
        if source is None:
            known = sorted(self._catalog.sources)
            return Problem(
                "not-catalogued",
                f"There is no source {name!r}. Use one of {', '.join(known)}.",
                {"nearest": known},
            )
        asked = heard(source.provider, path, params)
        found = self._of_source(source, asked)
        if isinstance(found, Problem):
            return replace(found, as_xml=asked.rendered_as is not None)
        return found

    def _of_source(self, source: Source, asked: Heard) -> Question | Problem:
        name = source.name
        subject = self._providers[name].subject(asked.path, asked.params)
        endpoint = self._by_subject.get((name, subject))
        if endpoint is None:
            return self._not_catalogued(name, asked.path, asked.params)
        said = {**asked.params, **assumed(source.provider, asked.params, endpoint.params)}
        left = self._endpoints_own(source, endpoint, asked.path, said)
        if left:
            return Problem(
                "another-question",
                f"{endpoint.id} asks {shown(endpoint.path, endpoint.params)}; a question without "
                f"{' and '.join(left)} cannot be laid over it. Say it, or add an endpoint that "
                "does not have it.",
                {"endpoint": endpoint.id},
            )
        return Question(
            endpoint.id,
            said,
            asked.path,
            rendered_as=asked.rendered_as,
            as_key=asked.key,
        )

    def _endpoints_own(
        self, source: Source, endpoint: Endpoint, path: str, said: Mapping[str, str]
    ) -> list[str]:
        """What the request would hold that the reader did not say: the endpoint's own."""
        line = (
            self._providers[source.name]
            .request(
                replace(endpoint, path=path),
                source.hosts[0],
                source.keys[0] if source.keys else None,
                self._now(),
                said,
            )
            .line
        )
        return [f"`{name}`" for name in line.params if name not in said]

    def _not_catalogued(self, source: str, path: str, params: Mapping[str, str]) -> Problem:
        asked = shown(path, params)
        # However far away: somebody who asks for the impossible wants to see what there is.
        found = self._nearest_asked[source].to(asked, cutoff=0.0)
        near = [self._asked[source][each] for each in found]
        fields = f"path: {_quoted(path)}"
        if params:
            inside = ", ".join(f"{name}: {_quoted(value)}" for name, value in params.items())
            fields += f", params: {{{inside}}}"
        return Problem(
            "not-catalogued",
            f"No endpoint of {source} asks {asked}. {_did_you_mean(near)}To have it healed, add it "
            "to `endpoints` of the configuration as `add` shows, and start the gateway again.",
            {"nearest": near, "add": f"{source}/NAME: {{{fields}}}"},
        )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _did_you_mean(near: list[str]) -> str:
    return f"Did you mean {', '.join(near)}? " if near else ""
