"""Write `healing_pipeline/catalog/market_days.py` anew: ``python scripts/make_market_days.py``.

Needs `exchange_calendars` and pandas (a second of start-up), which is why what they know is kept as
a file that the running system reads at no cost. Run it when an exchange announces a closing day.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

FIRST_YEAR, LAST_YEAR = 1990, 2035
PER_LINE = 8
TARGET = Path(__file__).parents[1] / "healing_pipeline" / "catalog" / "market_days.py"


def market_days_text() -> str:
    """The text of `market_days.py`, from the calendars as they are known today."""
    closed, early = _new_york_stock_exchange()
    return "\n".join(
        [
            '"""Days unlike other weekdays; written by `scripts/make_market_days.py`."""',
            "",
            f"FIRST_YEAR, LAST_YEAR = {FIRST_YEAR}, {LAST_YEAR}",
            "",
            "# Weekdays without a session at the New York Stock Exchange.",
            *_listing("XNYS_CLOSED", closed),
            "",
            "# Sessions that end early there, with the New York hour.",
            *_listing("XNYS_EARLY", early),
            "",
            "# Weekdays on which the Federal Reserve publishes no daily rates: its holidays, and",
            "# Good Friday, when the bond market rests.",
            *_listing("US_BUSINESS_CLOSED", _no_business()),
            "",
        ]
    )


def _new_york_stock_exchange() -> tuple[list[str], list[str]]:
    import exchange_calendars
    import pandas as pd

    calendar = exchange_calendars.get_calendar(
        "XNYS", start=f"{FIRST_YEAR}-01-01", end=f"{LAST_YEAR}-12-31"
    )
    weekdays = pd.bdate_range(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR}-12-31")
    closed = [f"{day:%Y%m%d}" for day in weekdays.difference(calendar.sessions)]
    closes = calendar.closes.dt.tz_convert("America/New_York")
    early = [f"{day:%Y%m%d}@{at:%H}" for day, at in closes.items() if at.hour < 16]
    return closed, early


def _no_business() -> list[str]:
    import pandas as pd
    from pandas.tseries import holiday

    def yearly(name: str, month: int, day: int, **more: Any) -> holiday.Holiday:
        # A holiday on a Saturday is not made up for by the Federal Reserve; one on a Sunday is.
        return holiday.Holiday(
            name, month=month, day=day, observance=holiday.sunday_to_monday, **more
        )

    rules = [
        yearly("New Year's Day", 1, 1),
        holiday.USMartinLutherKingJr,
        holiday.USPresidentsDay,
        holiday.GoodFriday,
        holiday.USMemorialDay,
        yearly("Juneteenth", 6, 19, start_date=pd.Timestamp(2022, 1, 1)),
        yearly("Independence Day", 7, 4),
        holiday.USLaborDay,
        holiday.USColumbusDay,
        yearly("Veterans Day", 11, 11),
        holiday.USThanksgivingDay,
        yearly("Christmas Day", 12, 25),
    ]
    days = holiday.AbstractHolidayCalendar("us_business", rules).holidays(
        f"{FIRST_YEAR}-01-01", f"{LAST_YEAR}-12-31"
    )
    return [f"{day:%Y%m%d}" for day in days if day.weekday() < 5]


def _listing(name: str, days: list[str]) -> list[str]:
    rows = [" ".join(days[at : at + PER_LINE]) for at in range(0, len(days), PER_LINE)]
    return [f'{name} = """', *rows, '"""']


if __name__ == "__main__":
    TARGET.write_text(market_days_text(), encoding="utf-8")
    sys.stdout.write("market_days.py is written.\n")
