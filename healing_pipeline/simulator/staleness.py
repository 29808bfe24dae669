"""How old stale data is when a scenario does not say: enough to be past that data's own rhythm."""

from __future__ import annotations

from healing_pipeline.simulator.eastern import DAY_S, HOUR_S
from healing_pipeline.simulator.questions import Bars, Observations, Question, Quotes
from healing_pipeline.simulator.series import Frequency, frequency

_SERIES_AGE_DAYS = {
    Frequency.DAILY: 5,
    Frequency.WEEKLY: 30,
    Frequency.MONTHLY: 100,
    Frequency.QUARTERLY: 250,
}


def default_age_s(source: str, question: Question) -> float:
    """Age in seconds: 3 hours for what moves within a day, 5 days for daily data.

    Rate tables are renewed once a day by contract, and Alpha Vantage dates its quotes by the day,
    so both count as daily. Slower series are as late as makes a release or two go missing.
    """
    if isinstance(question, Observations):
        return float(_SERIES_AGE_DAYS[frequency(question.series_id)] * DAY_S)
    within_a_day = (isinstance(question, Bars) and not question.is_daily) or (
        isinstance(question, Quotes) and source != "alpha_vantage"
    )
    return float(3 * HOUR_S if within_a_day else 5 * DAY_S)
