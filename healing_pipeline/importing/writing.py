"""What was placed as the text of a configuration, with all that is not in it as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from healing_pipeline.catalog.json_rules import SUCCESS, Comparison, KeyPlace, Plain
from healing_pipeline.importing.checks import Expectation, Held, Number
from healing_pipeline.importing.placing import USUAL_DEADLINE_S, Endpoint, Placed, Source
from healing_pipeline.importing.statuses import written

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*")
_NOT_PLAIN = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
_WIDTH = 100

HEAD = """\
# What healing_pipeline watches. Written by `healing init --from` out of what {tool} has; yours
# to change from here on. `healing check` lists every mistake with its line and its cure.
# What could not be carried over stands at the end, and with each endpoint.

upstreams: real
"""
ALERTS = """
# Who is told when healing fails. A channel is an Apprise URL in an environment variable.
# alerts:
#   channels:
#     chat: {env: ALERTS_CHAT_URL, levels: [error, critical]}
"""


def text_of(placed: Placed) -> str:
    """The whole configuration."""
    return "\n".join(_lines(placed)) + "\n"


def _lines(placed: Placed) -> Iterator[str]:
    yield HEAD.format(tool=placed.tool).rstrip("\n")
    if placed.private_hosts:
        yield ""
        yield "# In your own network, and asked there because they are named here."
        yield f"allow_private_hosts: [{', '.join(map(_quoted, placed.private_hosts))}]"
    yield ALERTS.rstrip("\n")
    yield ""
    yield "sources:"
    for source in placed.sources:
        yield from _source(source)
    yield "endpoints:"
    for endpoint in placed.endpoints:
        yield from _endpoint(endpoint)
    if placed.variables:
        yield "# To be set before anything is asked:"
        for variable, holds in placed.variables:
            yield from _comment(f"- {variable}: {holds}", "")
    if placed.left_out:
        yield "# Not carried over:"
        for each in placed.left_out:
            yield from _comment(f"- {each.name}: {each.why}", "")
    if placed.notes:
        yield "# Of the file as a whole:"
        for note in placed.notes:
            yield from _comment(f"- {note}", "")


def _source(source: Source) -> Iterator[str]:
    yield f"  {source.name}:"
    provider = source.provider
    yield f"    provider: {'json_api' if provider is None else provider.name}"
    if provider is None:
        yield f"    hosts: {{main: {_quoted(source.origin)}}}"
    else:
        yield "    hosts:"
        for name, url in provider.hosts.items():
            yield f"      {name}: {url}"
    if source.key is not None:
        yield f"    keys: {{primary: {{env: {source.variable}}}}}"
        if provider is None:
            yield f"    key_in: {_place(source.key.place, source.key.name)}"
    if provider is not None:
        yield f"    quota: {provider.quota}"
        if provider.calendar:
            yield f"    calendar: {provider.calendar}"
    yield ""


def _place(place: KeyPlace, name: str) -> str:
    return "bearer" if place is KeyPlace.BEARER else f"{{{place}: {_quoted(name)}}}"


def _endpoint(endpoint: Endpoint) -> Iterator[str]:
    yield from _comment(endpoint.of, "  ")
    for note in endpoint.notes:
        yield from _comment(f"- {note}", "  ")
    yield f"  {endpoint.id}:"
    yield f"    path: {_scalar(endpoint.path)}"
    if endpoint.params:
        pairs = ", ".join(f"{_scalar(name)}: {_quoted(value)}" for name, value in endpoint.params)
        yield f"    params: {{{pairs}}}"
    yield f"    interval_s: {_number(endpoint.interval_s)}"
    if endpoint.deadline_s != USUAL_DEADLINE_S:
        yield f"    deadline_s: {_number(endpoint.deadline_s)}"
    if endpoint.expect is not None:
        yield f"    expect: {_expect(endpoint.expect)}"
    yield ""


def _expect(expect: Expectation) -> str:
    names = [_scalar(each) for each in written(expect.status)]
    parts = [f"status: {names[0] if expect.status == SUCCESS else '[' + ', '.join(names) + ']'}"]
    if expect.within_s is not None:
        parts.append(f"within_s: {_number(expect.within_s)}")
    if expect.body:
        parts.append(f"body: {_body(expect.body)}")
    if expect.text is not None:
        parts.append(f"text: {_quoted(expect.text)}")
    return "{" + ", ".join(parts) + "}"


def _body(body: tuple[Held, ...]) -> str:
    paths: dict[str, list[Held]] = {}
    for each in body:
        paths.setdefault(each.path, []).append(each)
    return "{" + ", ".join(f"{_scalar(path)}: {_held(all_)}" for path, all_ in paths.items()) + "}"


def _held(of_path: list[Held]) -> str:
    first = of_path[0]
    if len(of_path) == 1 and first.comparison is Comparison.EQUAL and not first.of_length:
        return _value(first.value)
    of_value = [each for each in of_path if not each.of_length]
    of_length = [each for each in of_path if each.of_length]
    parts = [f"{_scalar(each.comparison)}: {_value(each.value)}" for each in of_value]
    if of_length:
        inner = ", ".join(f"{_scalar(each.comparison)}: {_value(each.value)}" for each in of_length)
        parts.append(f"length: {{{inner}}}")
    return "{" + ", ".join(parts) + "}"


def _value(value: Plain | Number | tuple[Plain | Number, ...]) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Number):
        return value.digits
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return _quoted(str(value))


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _scalar(text: str) -> str:
    """A text without quotes where nothing could take it for something else."""
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _NOT_PLAIN
    return text if is_plain else _quoted(text)


def _quoted(text: str) -> str:
    """A text in double quotes. It is printable, so what JSON escapes YAML reads alike."""
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str, indent: str) -> Iterator[str]:
    """A text as comment lines; what cannot be printed is left out of it."""
    words = "".join(each if each.isprintable() else "?" for each in text).split()
    line = ""
    for word in words:
        if line and len(indent) + 2 + len(line) + 1 + len(word) > _WIDTH:
            yield f"{indent}# {line}"
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    yield f"{indent}# {line}"
