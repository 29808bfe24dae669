"""Checks to endpoints: which source asks them, by which path, with which key from which variable.

A source is an origin together with a key, since quotas, breakers and keys are a source's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from healing_pipeline.catalog.secrecy import is_variable_name
from healing_pipeline.catalog.urls import is_private
from healing_pipeline.importing.checks import Check, Expectation, Found, LeftOut
from healing_pipeline.importing.known import Provider
from healing_pipeline.importing.marks import variables_in
from healing_pipeline.importing.requests import NoPlaceError, Request, request_of
from healing_pipeline.importing.secrets import FoundKey

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 30.0, 600.0
SHORTEST_DEADLINE_S, USUAL_DEADLINE_S, LONGEST_DEADLINE_S = 0.1, 3.0, 30.0


@dataclass(frozen=True, slots=True)
class Source:
    """A source of the configuration.

    Attributes
    ----------
    name : str
    provider : Provider or None
        None: a JSON API at `origin`.
    origin : str
    key : FoundKey or None
    variable : str
        Which holds the key; empty without one.
    """

    name: str
    provider: Provider | None
    origin: str
    key: FoundKey | None
    variable: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint of the configuration; `of` is the name that the other tool has for it."""

    id: str
    of: str
    path: str
    params: tuple[tuple[str, str], ...]
    interval_s: float
    deadline_s: float
    expect: Expectation | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """All that a file holds, at its place."""

    tool: str
    sources: tuple[Source, ...]
    endpoints: tuple[Endpoint, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    private_hosts: tuple[str, ...]


def place(found: Found) -> Placed:
    """Find a source and an id for every check."""
    placing = _Placing(found)
    endpoints: list[Endpoint] = []
    left_out = list(found.left_out)
    for check in found.checks:
        try:
            endpoints.append(placing.endpoint(check))
        except NoPlaceError as why:
            left_out.append(LeftOut(check.name, str(why)))
    return Placed(
        found.tool,
        tuple(placing.sources.values()),
        tuple(endpoints),
        tuple(left_out),
        found.notes,
        tuple(placing.variables.items()),
        tuple(placing.private_hosts),
    )


class _Placing:
    """Sources, names and variables that are taken so far."""

    def __init__(self, found: Found) -> None:
        self.sources: dict[tuple[object, ...], Source] = {}
        self.variables: dict[str, str] = {}
        self.private_hosts: dict[str, None] = {}
        self._names = _Names("_", 60)
        self._ids = _Names("-", 190)
        self._made_up = _Names("_", 100)
        for check in found.checks:
            for text in (check.url, *(value for _, value in check.headers)):
                for variable in variables_in(text):
                    self._made_up.keep(variable)

    def endpoint(self, check: Check) -> Endpoint:
        notes = list(check.notes)
        request = request_of(check, notes)
        source = self._source(request)
        expect: Expectation | None = check.expect
        if request.provider is not None:
            expect = None
            notes.append(
                f"the rules of the provider {request.provider.name} take the place of conditions"
            )
        elif is_private(request.origin):
            self.private_hosts[urlsplit(request.origin).netloc] = None
        if request.key is not None:
            notes.append(f"its key is read from the variable {source.variable}")
        interval_s = min(max(check.interval_s, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S)
        if interval_s != check.interval_s:
            notes.append(f"is asked every {interval_s:g} s instead of every {check.interval_s:g} s")
        return Endpoint(
            id=self._id(source.name, check.name),
            of=check.name,
            path=request.path,
            params=request.params,
            interval_s=interval_s,
            deadline_s=_deadline(check, notes),
            expect=expect,
            notes=tuple(notes),
        )

    def _source(self, request: Request) -> Source:
        key = request.key
        told = None if key is None else (key.place, key.name, key.variable or key.secret)
        provider = None if request.provider is None else request.provider.name
        identity = provider, None if provider else request.origin, told
        known = self.sources.get(identity)
        if known is None:
            name = self._names.take(provider or _name_of(request.origin))
            variable = "" if key is None else self._variable(key, name, request.provider)
            known = Source(name, request.provider, request.origin, key, variable)
            self.sources[identity] = known
        return known

    def _variable(self, key: FoundKey, source: str, provider: Provider | None) -> str:
        if key.variable is not None and is_variable_name(key.variable):
            self.variables.setdefault(key.variable, f"the key of {source}")
            return key.variable
        usual = provider.variable if provider is not None else f"{source.upper()}_KEY"
        if usual[0].isdigit():
            usual = f"_{usual}"
        variable = self._made_up.take(usual)
        self.variables[variable] = key.holds or f"the key of {source}"
        return variable

    def _id(self, source: str, name: str) -> str:
        slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower())[:60].strip("-._") or "check"
        return self._ids.take(f"{source}/{slug}")


class _Names:
    """Names that are taken; of two alike the later one gets a number."""

    def __init__(self, mark: str, longest: int) -> None:
        self._mark, self._longest = mark, longest
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def keep(self, name: str) -> None:
        """Give `name` to nobody."""
        self._taken.add(name)

    def take(self, wanted: str) -> str:
        """`wanted`, with a number behind it where it is taken."""
        base = found = wanted[: self._longest]
        while found in self._taken:
            self._last[base] = self._last.get(base, 1) + 1
            found = f"{base}{self._mark}{self._last[base]}"
        self._taken.add(found)
        return found


def _name_of(origin: str) -> str:
    parts = urlsplit(origin)
    usual = parts.port in {None, 80, 443}
    text = parts.netloc if not usual else (parts.hostname or "")
    return re.sub(r"[^a-z0-9]+", "_", text.lower().removeprefix("www.")).strip("_") or "source"


def _deadline(check: Check, notes: list[str]) -> float:
    """How long a reader waits: as long as the other tool does, where its file says so."""
    wanted = check.deadline_s
    if wanted is None or wanted <= 0:
        within_s = check.expect.within_s or 0.0
        return min(max(USUAL_DEADLINE_S, 2 * within_s), LONGEST_DEADLINE_S)
    kept = min(max(wanted, SHORTEST_DEADLINE_S), LONGEST_DEADLINE_S)
    if kept != wanted:
        notes.append(f"a reader waits {kept:g} s at most instead of {wanted:g} s")
    return kept
