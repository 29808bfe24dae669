"""What FRED's answers mean: ``error_code`` and ``error_message``, in JSON or XML, mostly at 400.

FRED says 400 for a bad key, an unknown series and a bad parameter alike; only the text tells them
apart. A body can be JSON or XML, and carries the code again, so a 200 does not hide it.
"""

from __future__ import annotations

from healing_pipeline.probing.body_shape import Body, Shape
from healing_pipeline.probing.classification import (
    Dialect,
    Finding,
    judge,
    refusal_class,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import is_numeric, spoken, stated_code
from healing_pipeline.probing.markup import read_xml
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.probing.wording import limit_of, meaning_of

_LISTS = (
    "observations",
    "seriess",
    "series",
    "releases",
    "release_dates",
    "categories",
    "tags",
    "sources",
    "vintage_dates",
    "elements",
    "features",
)
_ROW_FRAME = frozenset({"date", "realtime_start", "realtime_end", "observation_date"})
_MISSING = frozenset({".", "", None})


def _refusal(body: Body, _line: RequestLine) -> Finding | None:
    if body.shape is Shape.JSON and isinstance(body.json, dict):
        message = body.json.get("error_message")
        if "error_code" in body.json or message:
            return _error(stated_code(body.json) or 400, spoken(message) or "no error_message")
    if body.shape is Shape.XML:
        document = read_xml(body.text)
        if document is not None and document.root.lower() == "error":
            code = document.attributes.get("code", "")
            message = document.attributes.get("message", document.text)
            return _error(int(code) if code in _CODES else 400, message)
    return None


_CODES = frozenset(str(code) for code in range(400, 600))


def _error(code: int, message: str) -> Finding:
    # "Read https://.../api_key.html" stands in messages about keys only, so the general words do.
    meaning = limit_of(message) or meaning_of(message)
    return Finding(refusal_class(code, meaning), f"error {code} {message!r}")


def _contents(body: Body, line: RequestLine) -> Finding | None:
    if body.shape is Shape.XML:
        return _xml_contents(body)
    if body.shape is not Shape.JSON:
        return None
    value = body.json
    wants_observations = line.path.rstrip("/").endswith("/series/observations")
    if not isinstance(value, dict):
        if wants_observations and value:
            return Finding(FailureClass.INVALID_DATA, "JSON without the observations expected")
        return None
    if wants_observations and value and "observations" not in value:
        return Finding(FailureClass.INVALID_DATA, "JSON without the observations expected")
    for name in _LISTS:
        if name not in value:
            continue
        rows = value[name]
        if not rows:
            return Finding(FailureClass.EMPTY, f"{name} without an entry")
        if not isinstance(rows, dict | list):
            return Finding(FailureClass.INVALID_DATA, f"{name} that is no list")
        return _observations(rows) if name == "observations" else _filled(name, len(rows))
    if value.get("count") == 0:
        return Finding(FailureClass.EMPTY, "a count of 0")
    return None


def _filled(name: str, size: int) -> Finding:
    return Finding(FailureClass.OK, f"{size} {name}")


def _observations(rows: object) -> Finding:
    """All rows must be readable; rows that all say "." are no data.

    Rows have `value`, or with `output_type` 2 and 3 a member per vintage (``GDP_20200520``).
    """
    if not isinstance(rows, list):
        return Finding(FailureClass.INVALID_DATA, "observations that are no list")
    values = 0
    for row in rows:
        if not isinstance(row, dict) or not (row.keys() - _ROW_FRAME or "vintage_date" in row):
            return Finding(FailureClass.INVALID_DATA, "an observation without a value")
        for name, value in row.items():
            if name in _ROW_FRAME or name == "vintage_date":
                continue
            if isinstance(value, dict | list) or (value not in _MISSING and not is_numeric(value)):
                return Finding(
                    FailureClass.INVALID_DATA, f"an observation that is no number: {name}"
                )
            values += value not in _MISSING
    if values == 0:
        return Finding(FailureClass.EMPTY, f'{len(rows)} observations, all of them "."')
    return Finding(FailureClass.OK, f"{len(rows)} observations")


def _xml_contents(body: Body) -> Finding:
    document = read_xml(body.text)
    if document is None:
        return Finding(FailureClass.INVALID_DATA, "XML that does not parse (cut or damaged)")
    if document.root not in _LISTS:
        return Finding(FailureClass.INVALID_DATA, f"XML <{document.root}> instead of data")
    if document.children == 0 or (document.root == "observations" and document.values == 0):
        return Finding(FailureClass.EMPTY, f"<{document.root}> without a value")
    return _filled(document.root, document.children)


DIALECT = Dialect("FRED", _refusal, _contents)


def classify(response: Response, line: RequestLine) -> Verdict:
    """Judge a response by everything FRED is known to say. Never raises."""
    return judge(response, line, DIALECT)
