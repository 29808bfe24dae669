"""What Yahoo Finance is asked, and how to ask it for less."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.providers.dates import today
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.urls import asked, assembled, fraction, remembered

_WITH_A_WINDOW = ("/v8/finance/chart/", "/v7/finance/download/")

# Yahoo's `range` values and the calendar days they span; `max` only has to be longer than any.
RANGE_DAYS = {
    "1d": 1, "5d": 7, "1mo": 30, "3mo": 91, "6mo": 182,
    "1y": 365, "2y": 730, "5y": 1826, "10y": 3652, "max": 14_610,
}  # fmt: skip

# Days below which a window may hold no bar at all, by `interval`; the rest need a trading day.
_LEAST_DAYS_BY_INTERVAL = {"5d": 7, "1wk": 14, "1mo": 62, "3mo": 184}
# A long weekend has four days without a bar.
_LEAST_PERIOD_DAYS = 5
_DAY_S = 86_400


@remembered
def request(
    endpoint: Endpoint,
    host: Host,
    key: ApiKey | None,  # noqa: ARG001 - Yahoo has no keys
    now: datetime,
    params: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Build the GET; Yahoo takes no key, so none is sent."""
    path, merged = asked(endpoint, params, now)
    return assembled(endpoint, host, path, one_window(merged))


def one_window(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters with one window in them: a `range`, or what begins with `period1`.

    Yahoo lets `range` win where both are sent, so that a `period1` that a reader lays over an
    endpoint's `range` would be ignored without a word. Of two the later one stays: what a reader
    adds comes after what the endpoint has.
    """
    if "range" not in params or "period1" not in params:
        return dict(params)
    names = list(params)
    is_range = names.index("range") > names.index("period1")
    left_out = {"period1", "period2"} if is_range else {"range"}
    return {name: value for name, value in params.items() if name not in left_out}


def smaller(
    endpoint: Endpoint, params: Mapping[str, str], factor: float, now: datetime
) -> tuple[str, Mapping[str, str]] | None:
    """A shorter `range`, or a later `period1`; None for quotes and for windows of a few days."""
    fraction(factor)
    path, merged = asked(endpoint, params, now)
    merged = one_window(merged)
    if not path.startswith(_WITH_A_WINDOW):
        return None
    least_days = _LEAST_DAYS_BY_INTERVAL.get(merged.get("interval", ""), 1)
    if "period1" in merged:
        later = _later_begin(merged, factor, max(least_days, _LEAST_PERIOD_DAYS), now)
        return None if later is None else (path, {**merged, "period1": later})
    shorter = _shorter_range(merged.get("range", ""), factor, least_days, now)
    return None if shorter is None else (path, {**merged, "range": shorter})


def _shorter_range(name: str, factor: float, least_days: int, now: datetime) -> str | None:
    """The longest standard range within `factor` of `name`, else the shortest that is shorter."""
    if name == "ytd":
        days = (today(now) - today(now).replace(month=1, day=1)).days + 1
    elif name in RANGE_DAYS:
        days = RANGE_DAYS[name]
    else:
        return None
    shorter = [each for each, span in RANGE_DAYS.items() if least_days <= span < days]
    fitting = [each for each in shorter if RANGE_DAYS[each] <= factor * days]
    return fitting[-1] if fitting else shorter[0] if shorter else None


def _later_begin(
    params: Mapping[str, str], factor: float, least_days: int, now: datetime
) -> str | None:
    """`period1` moved towards the end of the window, or towards now when it ends after that."""
    now_s = int(now.astimezone(UTC).timestamp())
    try:
        begin_s = int(params["period1"])
        end_s = min(int(params.get("period2", now_s)), now_s)
    except ValueError:
        return None
    kept_s = max(int((end_s - begin_s) * factor), least_days * _DAY_S)
    return str(end_s - kept_s) if kept_s < end_s - begin_s else None
