"""Judging recorded responses: an index of JSON lines with the bodies beside it.

The functions that judge come as an argument, because the core knows no provider.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.probing.classification import Classify
from healing_pipeline.probing.classification import classify as classify_unknown
from healing_pipeline.probing.response import RequestLine, Response


def request_line(endpoint: str, host: str = "") -> RequestLine:
    """Read ``GET /query?function=SMA`` as what was asked; a missing method or query is no fault."""
    first, _, rest = endpoint.strip().partition(" ")
    target = rest.strip() if first.isalpha() and rest.strip() else endpoint.strip()
    path, _, query = target.partition("?")
    params = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=None))
    return RequestLine(path, params, host)


def classify_recorded(index: Path, classifiers: Mapping[str, Classify]) -> Iterator[dict[str, str]]:
    """Judge every line of an index of recorded responses, in its order.

    Parameters
    ----------
    index : Path
        JSON lines with `source`, `body_file` (relative to the index's folder) and, where known,
        `endpoint`, `host`, `status` (null when not recorded) and `headers`. Labels are ignored.
    classifiers : Mapping[str, Classify]
        Source name to the function that judges it; other sources are judged generally.

    Yields
    ------
    dict
        ``body_file``, ``source``, ``failure_class``, ``evidence``.

    Raises
    ------
    ConfigurationError
        For an index, a line or a body file that cannot be read; names the line and the cure.
    """
    try:
        handle = index.open("rb")
    except (OSError, ValueError) as exc:
        raise ConfigurationError(
            f"The index of recorded responses cannot be opened ({exc}).",
            "Give the path of a file of JSON lines such as recorded/index.jsonl.",
            path=index,
        ) from exc
    with handle:
        for number, raw in enumerate(handle, start=1):
            if raw.strip():
                yield _judged(raw, number, index, classifiers)


def _judged(
    raw: bytes, number: int, index: Path, classifiers: Mapping[str, Classify]
) -> dict[str, str]:
    entry = _entry(raw, number, index)
    source, body_file = (
        _text(entry, "source", number, index),
        _text(entry, "body_file", number, index),
    )
    endpoint, host = entry.get("endpoint") or "", entry.get("host") or ""
    status, headers = entry.get("status"), entry.get("headers") or {}
    if not isinstance(endpoint, str) or not isinstance(host, str):
        raise _fault("`endpoint` and `host` must be strings.", number, index)
    if status is not None and (isinstance(status, bool) or not isinstance(status, int)):
        raise _fault("`status` must be a whole number, or null where unknown.", number, index)
    if not isinstance(headers, dict):
        raise _fault("`headers` must be an object of names and values.", number, index)
    try:
        body = (index.parent / body_file).read_bytes()
    except (OSError, ValueError) as exc:
        raise ConfigurationError(
            f"The body file {body_file!r} cannot be read ({type(exc).__name__}).",
            "Put it there, relative to the index's folder, or remove the line.",
            path=index,
            line=number,
        ) from exc
    response = Response(
        status=status,
        headers={str(name).lower(): str(value) for name, value in headers.items()},
        body=body,
    )
    classify = classifiers.get(source, classify_unknown)
    verdict = classify(response, request_line(endpoint, host))
    return {
        "body_file": body_file,
        "source": source,
        "failure_class": verdict.failure_class.value,
        "evidence": verdict.evidence,
    }


def _entry(raw: bytes, number: int, index: Path) -> dict[str, object]:
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise _fault(f"The line is not JSON ({exc}).", number, index) from exc
    if not isinstance(entry, dict):
        raise _fault("The line is JSON but no object.", number, index)
    return entry


def _text(entry: dict[str, object], name: str, number: int, index: Path) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise _fault(f"The line has no `{name}`.", number, index)
    return value


def _fault(problem: str, number: int, index: Path) -> ConfigurationError:
    cure = (
        "Correct the line: an object with `source`, `body_file`, `endpoint`, `status`, `headers`."
    )
    return ConfigurationError(problem, cure, path=index, line=number)
