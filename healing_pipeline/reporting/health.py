"""What the rows of a health report add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class EndpointHealth(Protocol):
    """The health of one endpoint over a window, as far as totals and pictures need it."""

    @property
    def endpoint(self) -> str: ...  # noqa: D102 (see reporting.columns)
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def requests(self) -> int: ...  # noqa: D102
    @property
    def met_fault(self) -> int: ...  # noqa: D102
    @property
    def healed_requests(self) -> int: ...  # noqa: D102
    @property
    def reader_errors(self) -> int: ...  # noqa: D102
    @property
    def incidents(self) -> int: ...  # noqa: D102
    @property
    def uptime(self) -> float | None: ...  # noqa: D102


HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Totals:
    """All endpoints together.

    Attributes
    ----------
    open_incidents : int
    healing_rate : float or None
        Of the requests that met a healable failure; None when none did.
    """

    endpoints: int
    open_incidents: int
    incidents: int
    requests: int
    met_fault: int
    healed_requests: int
    reader_errors: int

    @property
    def healing_rate(self) -> float | None:
        """Answered, of the requests that met a healable failure; None when none did."""
        return self.healed_requests / self.met_fault if self.met_fault else None


def totals(rows: Sequence[EndpointHealth]) -> Totals:
    """Add up a report."""
    return Totals(
        endpoints=len(rows),
        open_incidents=sum(each.state != HEALTHY for each in rows),
        incidents=sum(each.incidents for each in rows),
        requests=sum(each.requests for each in rows),
        met_fault=sum(each.met_fault for each in rows),
        healed_requests=sum(each.healed_requests for each in rows),
        reader_errors=sum(each.reader_errors for each in rows),
    )


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A report as it was made."""

    report_at: datetime
    window_s: float
    rows: Sequence[EndpointHealth]

    @property
    def totals(self) -> Totals:
        """All endpoints together."""
        return totals(self.rows)
