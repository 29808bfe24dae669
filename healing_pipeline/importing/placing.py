"""Checks to endpoints: which source asks them, by which path, with which key from which variable.

A source is an origin together with a key, since quotas, breakers and keys are a source's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from healing_pipeline.catalog.json_rules import KeyPlace
from healing_pipeline.catalog.secrecy import is_variable_name
from healing_pipeline.catalog.urls import is_private, url_mistake
from healing_pipeline.importing.checks import Check, Expectation, Found, LeftOut, quoted
from healing_pipeline.importing.known import Provider, question_of
from healing_pipeline.importing.marks import has_variable
from healing_pipeline.importing.secrets import FoundKey, is_secret_text, keys_in

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 30.0, 600.0
SHORTEST_DEADLINE_S, USUAL_DEADLINE_S, LONGEST_DEADLINE_S = 0.1, 3.0, 30.0
LONGEST_TEXT = 1000

# What RFC 3986 lets a path hold as it is; `{` and `}` would be taken for a date's mark.
_PATH_SAFE = "/:@!$&'()*+,;=-._~"
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PARAM = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
# The client's own.
_NOT_FOR_KEYS = frozenset(
    {"content-length", "connection", "transfer-encoding", "accept-encoding", "user-agent"}
)


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


@dataclass(frozen=True, slots=True)
class _Request:
    provider: Provider | None
    origin: str
    path: str
    params: tuple[tuple[str, str], ...]
    key: FoundKey | None


class _NoPlaceError(Exception):
    """A check that no endpoint can ask, and why."""


def place(found: Found) -> Placed:
    """Find a source and an id for every check."""
    placing = _Placing()
    endpoints: list[Endpoint] = []
    left_out = list(found.left_out)
    for check in found.checks:
        try:
            endpoints.append(placing.endpoint(check))
        except _NoPlaceError as why:
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

    def __init__(self) -> None:
        self.sources: dict[tuple[object, ...], Source] = {}
        self.variables: dict[str, str] = {}
        self.private_hosts: dict[str, None] = {}
        self._names: set[str] = set()
        self._ids: set[str] = set()

    def endpoint(self, check: Check) -> Endpoint:
        notes = list(check.notes)
        request = _request(check, notes)
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

    def _source(self, request: _Request) -> Source:
        key = request.key
        told = None if key is None else (key.place, key.name, key.variable or key.secret)
        provider = None if request.provider is None else request.provider.name
        identity = provider, None if provider else request.origin, told
        known = self.sources.get(identity)
        if known is None:
            name = _unlike(provider or _name_of(request.origin), self._names, "_", 60)
            self._names.add(name)
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
        variable = _unlike(usual, self.variables, "_", 100)
        self.variables[variable] = key.holds or f"the key of {source}"
        return variable

    def _id(self, source: str, name: str) -> str:
        slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower())[:60].strip("-._") or "check"
        found = _unlike(f"{source}/{slug}", self._ids, "-", 190)
        self._ids.add(found)
        return found


def _unlike(wanted: str, taken: Iterable[str], mark: str, longest: int) -> str:
    """`wanted`, with a number behind it where it is taken."""
    others = set(taken)
    if wanted[:longest] not in others:
        return wanted[:longest]
    number = 2
    while f"{wanted[:longest]}{mark}{number}" in others:
        number += 1
    return f"{wanted[:longest]}{mark}{number}"


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


def _request(check: Check, notes: list[str]) -> _Request:
    try:
        parts = urlsplit(check.url)
        port = parts.port
    except ValueError:
        raise _NoPlaceError("its URL cannot be read") from None
    if has_variable(parts.netloc) or has_variable(parts.scheme):
        raise _NoPlaceError("a variable in its URL decides which host is asked")
    userinfo, _, _ = parts.netloc.rpartition("@")
    host = (parts.hostname or "").rstrip(".")
    shown_host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    origin = f"{parts.scheme}://{shown_host}" + ("" if port in {None, usual} else f":{port}")
    mistake = url_mistake(origin)
    if mistake is not None:
        raise _NoPlaceError(f"its host cannot be asked: {mistake[0]} {mistake[1]}")
    params = _params(parts.query)
    signs_in = check.signs_in or unquote(userinfo)
    headers = tuple((name, value) for name, value in check.headers if value)
    if any(name.lower() == "host" for name, _ in headers):
        raise _NoPlaceError("it names another host in the header Host")
    keys = keys_in(headers, params, signs_in=signs_in)
    question = question_of(origin, parts.path, dict(params), keys)
    if question is None:
        _judge_keys(keys)
        path = _path(parts.path)
        key, provider = (keys[0] if keys else None), None
    else:
        path, key, provider = question.path, question.key, question.provider
    sent = {each.name for each in keys}
    for name, _ in headers:
        if name not in sent:
            notes.append(f"the header {quoted(name)} is not sent")
    rest = tuple(each for each in params if each[0] not in sent)
    _judge_params(rest)
    return _Request(provider, origin, path, rest, key)


def _judge_keys(keys: list[FoundKey]) -> None:
    if len(keys) > 1:
        raise _NoPlaceError(
            f"it sends {len(keys)} keys at once, and a source has one place for keys"
        )
    for each in keys:
        pattern = _PARAM if each.place is KeyPlace.PARAM else _HEADER
        if pattern.fullmatch(each.name) is None or is_secret_text(each.name):
            raise _NoPlaceError("the place of its key has a name that cannot be written")
        if each.place is not KeyPlace.PARAM and each.name.lower() in _NOT_FOR_KEYS:
            raise _NoPlaceError(f"its header {each.name} is the client's own")


def _params(query: str) -> tuple[tuple[str, str], ...]:
    try:
        found = parse_qsl(query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise _NoPlaceError("its query cannot be read") from None
    names = [name for name, _ in found]
    if len(set(names)) != len(names):
        raise _NoPlaceError("a parameter stands twice in its query")
    return tuple(found)


def _judge_params(params: tuple[tuple[str, str], ...]) -> None:
    for name, value in params:
        if not name.strip() or not value.strip():
            raise _NoPlaceError("a parameter of its query is empty")
        if set("{}") & set(name + value):
            raise _NoPlaceError("a parameter of its query holds `{` or `}`, which mark dates")
        if not (name + value).isprintable() or len(name) > 100 or len(value) > LONGEST_TEXT:
            raise _NoPlaceError("a parameter of its query cannot be written")


def _path(path: str) -> str:
    if has_variable(path):
        raise _NoPlaceError("a variable stands in its path")
    plain = unquote(path or "/")
    if "%2f" in path.lower():
        raise _NoPlaceError("its path holds an escaped slash")
    if not plain.startswith("/") or plain.startswith("//") or ".." in plain.split("/"):
        raise _NoPlaceError("its path has `//` at its begin or `..` in it")
    if not plain.isprintable() or "\\" in plain or len(plain) > LONGEST_TEXT:
        raise _NoPlaceError("its path cannot be written")
    if any(is_secret_text(each) for each in plain.split("/")) or is_secret_text(plain):
        raise _NoPlaceError("its path holds what looks like a key, and keys have no place there")
    return quote(plain, safe=_PATH_SAFE)
