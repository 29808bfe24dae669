"""A check's URL and headers taken apart: host, path, parameters, key; or why they cannot be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from healing_pipeline.catalog.json_rules import KeyPlace
from healing_pipeline.catalog.urls import url_mistake
from healing_pipeline.importing.checks import Check, quoted
from healing_pipeline.importing.known import Provider, question_of
from healing_pipeline.importing.marks import has_variable
from healing_pipeline.importing.secrets import FoundKey, is_secret_text, keys_in

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
class Request:
    """What a check asks: of whom, by which path and parameters, with which key."""

    provider: Provider | None
    origin: str
    path: str
    params: tuple[tuple[str, str], ...]
    key: FoundKey | None


class NoPlaceError(Exception):
    """A check that no endpoint can ask, and why."""


def request_of(check: Check, notes: list[str]) -> Request:
    """What a check asks; what of it is not sent is added to `notes`.

    Raises
    ------
    NoPlaceError
        If no endpoint can ask it.
    """
    try:
        parts = urlsplit(check.url)
        userinfo, _, place = parts.netloc.rpartition("@")
        if has_variable(place) or has_variable(parts.scheme):
            raise NoPlaceError("a variable in its URL decides which host is asked")
        port = parts.port
    except ValueError:
        raise NoPlaceError("its URL cannot be read") from None
    host = (parts.hostname or "").rstrip(".")
    shown_host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    origin = f"{parts.scheme}://{shown_host}" + ("" if port in {None, usual} else f":{port}")
    mistake = url_mistake(origin)
    if mistake is not None:
        raise NoPlaceError(f"its host cannot be asked: {mistake[0]} {mistake[1]}")
    params = _params(parts.query)
    signs_in = check.signs_in or unquote(userinfo)
    headers = tuple((name, value) for name, value in check.headers if value)
    if any(name.lower() == "host" for name, _ in headers):
        raise NoPlaceError("it names another host in the header Host")
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
    return Request(provider, origin, path, rest, key)


def _judge_keys(keys: list[FoundKey]) -> None:
    if len(keys) > 1:
        raise NoPlaceError(
            f"it sends {len(keys)} keys at once, and a source has one place for keys"
        )
    for each in keys:
        pattern = _PARAM if each.place is KeyPlace.PARAM else _HEADER
        if pattern.fullmatch(each.name) is None or is_secret_text(each.name):
            raise NoPlaceError("the place of its key has a name that cannot be written")
        if each.place is not KeyPlace.PARAM and each.name.lower() in _NOT_FOR_KEYS:
            raise NoPlaceError(f"its header {each.name} is the client's own")


def _params(query: str) -> tuple[tuple[str, str], ...]:
    try:
        found = parse_qsl(query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise NoPlaceError("its query cannot be read") from None
    names = [name for name, _ in found]
    if len(set(names)) != len(names):
        raise NoPlaceError("a parameter stands twice in its query")
    return tuple(found)


def _judge_params(params: tuple[tuple[str, str], ...]) -> None:
    for name, value in params:
        if not name.strip() or not value.strip():
            raise NoPlaceError("a parameter of its query is empty")
        if set("{}") & set(name + value):
            raise NoPlaceError("a parameter of its query holds `{` or `}`, which mark dates")
        if not (name + value).isprintable() or len(name) > 100 or len(value) > LONGEST_TEXT:
            raise NoPlaceError("a parameter of its query cannot be written")


def _path(path: str) -> str:
    if has_variable(path):
        raise NoPlaceError("a variable stands in its path")
    plain = unquote(path or "/")
    if "%2f" in path.lower():
        raise NoPlaceError("its path holds an escaped slash")
    if not plain.startswith("/") or plain.startswith("//") or ".." in plain.split("/"):
        raise NoPlaceError("its path has `//` at its begin or `..` in it")
    if not plain.isprintable() or "\\" in plain or len(plain) > LONGEST_TEXT:
        raise NoPlaceError("its path cannot be written")
    if any(is_secret_text(each) for each in plain.split("/")) or is_secret_text(plain):
        raise NoPlaceError("its path holds what looks like a key, and keys have no place there")
    return quote(plain, safe=_PATH_SAFE)
