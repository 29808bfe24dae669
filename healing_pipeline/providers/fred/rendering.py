"""Observations in FRED's form, JSON or XML, of numbers that came from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

# It writes XML; nothing is parsed with it.
from xml.sax.saxutils import quoteattr  # nosec B406

from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.fred.questions import OBSERVATIONS_PATH
from healing_pipeline.providers.fred.reading import read
from healing_pipeline.providers.renderings import compact, line_of, numeral, read_back

_FIRST, _LAST = "1600-01-01", "9999-12-31"
_MOST = "100000"


def rendered(reading: Reading, path: str, params: Mapping[str, str], now: datetime) -> bytes | None:
    """Observations that say what `reading` says, in the order asked for.

    JSON, unless the question says ``file_type=xml``: XML is what FRED itself writes when it is
    not told, and all that `fredapi` reads. None for another series, for numbers that are no
    observations, and where the spacing of the dates would be taken for another interval.

    Notes
    -----
    The real-time period is left out: of which vintage the numbers are is not known.
    """
    line = line_of(path, params, now)
    asked = line.params.get("series_id", "").strip().upper()
    if line.path.rstrip("/") != OBSERVATIONS_PATH or asked != reading.instrument:
        return None
    form = line.params.get("file_type", "json").lower()
    rows = [
        {"date": f"{each.at:%Y-%m-%d}", "value": numeral(each.value)} for each in reading.points
    ]
    if line.params.get("sort_order") == "desc":
        rows.reverse()
    head = _head(line.params, form, len(rows))
    as_json = compact({**head, "observations": rows})
    plain = RequestLine(line.path, {**line.params, "file_type": "json"})
    body = read_back(as_json, plain, read, reading, reading.points)
    if body is None or form not in ("json", "xml"):
        return None
    return body if form == "json" else _xml(head, rows)


def _head(params: Mapping[str, str], form: str, count: int) -> dict[str, object]:
    def number(name: str, default: str) -> int | str:
        said = params.get(name, default)
        return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else said

    return {
        "observation_start": params.get("observation_start", _FIRST),
        "observation_end": params.get("observation_end", _LAST),
        "units": params.get("units", "lin"),
        "output_type": number("output_type", "1"),
        "file_type": form,
        "order_by": "observation_date",
        "sort_order": params.get("sort_order", "asc"),
        "count": count,
        "offset": number("offset", "0"),
        "limit": number("limit", _MOST),
    }


def _xml(head: dict[str, object], rows: list[dict[str, str]]) -> bytes:
    lines = [
        '<?xml version="1.0" encoding="utf-8" ?>',
        f"<observations {_attributes(head)}>",
        *(f"  <observation {_attributes(row)}/>" for row in rows),
        "</observations>",
        "",
    ]
    return "\n".join(lines).encode()


def _attributes(values: Mapping[str, object]) -> str:
    return " ".join(f"{name}={quoteattr(str(said))}" for name, said in values.items())
