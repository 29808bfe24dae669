"""Tables and pairs in ExchangeRate-API's form, of rates that came from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime

from healing_pipeline.probing.reading import Reading
from healing_pipeline.providers.exchange_rate.questions import PAIR_PATH, TABLE_PATH, part
from healing_pipeline.providers.exchange_rate.reading import read
from healing_pipeline.providers.renderings import compact, line_of, read_back, to_the_second

_SITE = "https://www.exchangerate-api.com"


def rendered(reading: Reading, path: str, params: Mapping[str, str], now: datetime) -> bytes | None:
    """The rate of a pair, also out of a table; a table out of a table.

    None for a table where one rate is all there is, for a pair with an amount, and for rates of
    several moments.

    Notes
    -----
    The form is that of the host with keys. When the next update comes is left out.
    """
    line = line_of(path, params, now)
    own = part(reading, line.path, line.params)
    if own is None or len({each.at for each in own.points}) != 1:
        return None
    said = to_the_second(own.points)
    rates = {each.field: each.value for each in said}
    head: dict[str, object] = {
        "result": "success",
        "documentation": f"{_SITE}/docs",
        "terms_of_use": f"{_SITE}/terms",
        "time_last_update_unix": int(said[0].at.timestamp()),
        "time_last_update_utc": format_datetime(said[0].at),
        "base_code": own.instrument,
    }
    if pair := PAIR_PATH.fullmatch(line.path):
        target = pair["target"].upper()
        body = compact({**head, "target_code": target, "conversion_rate": rates[target]})
    elif TABLE_PATH.fullmatch(line.path) and len(rates.keys() - {own.instrument}) > 1:
        body = compact({**head, "conversion_rates": rates})
    else:
        return None
    return read_back(body, line, read, own, said)
