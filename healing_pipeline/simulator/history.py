"""Histories of real endpoints, read for their outages: CSV in, frozen values out.

Two forms are known: a row for each change of state with an HTTP code (as Upptime keeps them), and
an even series of latencies. How an outage is played is not decided here; see `replay`.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.simulator.faults import FaultKind

_FORM = (
    "Give a CSV with the columns checked_at, endpoint, status, http_code and response_ms, a row "
    "for each change (`endpoint` and one of `status` and `http_code` may be missing), or with "
    "timestamp and value for a series of latencies."
)
_UP = frozenset({"up", "ok", "online", "healthy"})
_SLOW = frozenset({"degraded", "slow"})
_BY_CODE: Mapping[int, FaultKind] = {
    0: FaultKind.TIMEOUT,
    401: FaultKind.AUTH_ERROR,
    402: FaultKind.PLAN_LIMIT,
    403: FaultKind.BOT_BLOCK,
    404: FaultKind.NOT_FOUND,
    408: FaultKind.TIMEOUT,
    410: FaultKind.NOT_FOUND,
    429: FaultKind.RATE_LIMIT,
}
# A usual latency counts as this much when latencies are all there is.
_USUAL_S = 1.0
_LATENCIES_S = (1.0, 8.0)
# So many robust standard deviations over the median is no ordinary latency any more.
_UNUSUAL = 6.0
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch of time in which an endpoint failed in one way, and after which it was well.

    Attributes
    ----------
    said : str
        What was seen: ``HTTP 503``, ``no answer``.
    latency_s : float
        With `slow`: seconds an answer takes; else 0.
    """

    endpoint: str
    begins: datetime
    ends: datetime
    kind: FaultKind
    said: str
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    at: datetime
    kind: FaultKind | None
    said: str
    latency_s: float = 0.0


def parse_history(text: str, path: Path) -> tuple[Outage, ...]:
    """Read every outage whose end is known, by its begin.

    Parameters
    ----------
    path : Path
        For messages.

    Raises
    ------
    ConfigurationError
        If the file is of neither form, a line of it cannot be read, or nothing ever failed in it.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        columns = tuple(reader.fieldnames or ())
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as exc:
        problem = f"The file is no CSV: {exc}."
        line = max(1, reader.line_num)  # 0 for a mistake in the names
        raise ConfigurationError(problem, _FORM, path=path, line=line) from exc
    if not columns:
        raise ConfigurationError("The history is empty.", _FORM, path=path)
    if "checked_at" in columns and {"status", "http_code"} & set(columns):
        seen = _states(rows, path)
    elif {"timestamp", "value"} <= set(columns):
        seen = _latencies(rows, path)
    else:
        named = ", ".join(each if each.isprintable() else repr(each) for each in columns[:20])
        problem = f"The history has only the columns {named[:200]}."
        raise ConfigurationError(problem, _FORM, path=path, line=1)
    found = [each for name, states in seen.items() for each in _outages(name, states)]
    if not found:
        raise ConfigurationError(
            "There is no outage in this history that began and ended.",
            "Give one in which an endpoint failed and recovered.",
            path=path,
        )
    return tuple(sorted(found, key=lambda each: (each.begins, each.endpoint)))


def _states(rows: Iterable[tuple[int, dict[str, str]]], path: Path) -> dict[str, list[_Seen]]:
    seen: dict[str, list[_Seen]] = {}
    for line, row in rows:
        at = _moment(row["checked_at"], path, line)
        code = _number(row.get("http_code"), "http_code", path, line)
        latency_ms = _number(row.get("response_ms"), "response_ms", path, line) or 0.0
        state = _state(at, (row.get("status") or "").strip().lower(), code, latency_ms)
        if state is not None:
            seen.setdefault((row.get("endpoint") or "").strip() or "endpoint", []).append(state)
    return seen


def _state(at: datetime, status: str, code: float | None, latency_ms: float) -> _Seen | None:
    """What a row says of its endpoint; None when it says nothing."""
    if status in _SLOW:
        least, most = _LATENCIES_S
        latency_s = min(max(latency_ms / 1000, least), most)
        return _Seen(at, FaultKind.SLOW, f"{latency_ms:g} ms", latency_s)
    if status in _UP or (not status and code is not None and 200 <= code < 400):
        return _Seen(at, None, "up")
    if not status and code is None:
        return None
    number = 0 if code is None else int(code)
    if number >= 500:
        return _Seen(at, FaultKind.SERVER_ERROR, f"HTTP {number}")
    if 100 <= number < 400:
        return _Seen(at, FaultKind.INVALID_DATA, f"bad content in HTTP {number}")
    kind = _BY_CODE.get(number, FaultKind.BAD_REQUEST)
    return _Seen(at, kind, f"HTTP {number}" if number else "no answer")


def _latencies(rows: Iterable[tuple[int, dict[str, str]]], path: Path) -> dict[str, list[_Seen]]:
    """Latencies far over the usual one count as slow, in proportion to it."""
    series = []
    for line, row in rows:
        value = _number(row["value"], "value", path, line)
        if value is not None:
            series.append((_moment(row["timestamp"], path, line), value))
    if not series:
        return {}
    usual = statistics.median(value for _, value in series)
    spread = _MAD_TO_SIGMA * statistics.median(abs(value - usual) for _, value in series)
    least, most = _LATENCIES_S
    states = []
    for at, value in series:
        if value > usual + _UNUSUAL * spread and usual > 0:
            latency_s = round(min(max(_USUAL_S * value / usual, least), most), 1)
            states.append(_Seen(at, FaultKind.SLOW, f"{value:g}, usually {usual:g}", latency_s))
        else:
            states.append(_Seen(at, None, "usual"))
    return {path.stem: states}


def _outages(endpoint: str, states: Iterable[_Seen]) -> Iterator[Outage]:
    """The bad states of an endpoint in a row, one outage for each kind; open ends are left out."""
    ordered = sorted(states, key=lambda each: each.at)
    # Latencies of a slow stretch differ from row to row: what tells stretches apart is the kind.
    stretches = [list(group) for _, group in groupby(ordered, key=lambda each: each.kind)]
    for one, after in pairwise(stretches):
        first = one[0]
        worst = max(one, key=lambda each: each.latency_s)
        if first.kind is not None and after[0].at > first.at:
            yield Outage(endpoint, first.at, after[0].at, first.kind, worst.said, worst.latency_s)


def _moment(text: str | None, path: Path, line: int) -> datetime:
    try:
        at = datetime.fromisoformat((text or "").strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text!r} is no moment.", "Write it like 2026-01-05T15:00:00Z.", path=path, line=line
        ) from None


def _number(text: str | None, column: str, path: Path, line: int) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        number = float(text)
        if 0 <= number < 1e9:
            return number
    except ValueError:
        pass
    raise ConfigurationError(
        f"`{column}` is {text!r}.", "Give a number, 0 or more, or nothing.", path=path, line=line
    )
