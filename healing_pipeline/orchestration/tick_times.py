"""How late the sensors' ticks began, as their own cursors tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType

from healing_pipeline.control.punctuality import Punctuality

# A turn of the daemon and a half; a sensor that is later than this at the 95th percentile looks at
# its source half as often as it should.
LATE_S = 5.0

# Six turns of the daemon without a tick.
SILENT_S = 30.0


@dataclass(frozen=True, slots=True)
class SensorTimes:
    """What is known of one sensor's ticks.

    Attributes
    ----------
    is_on : bool
        False when somebody has stopped it.
    silent_s : float or None
        Since the begin of its latest tick; None before the first.
    late_p95_s, late_max_s : float
        Of its last ticks, some five minutes' worth.
    """

    sensor: str
    is_on: bool
    silent_s: float | None
    late_p95_s: float
    late_max_s: float
    ticks: int

    @property
    def complaint(self) -> str | None:
        """What is wrong with it; None when it is on time, or was stopped on purpose."""
        if not self.is_on:
            return None
        if self.silent_s is None:
            return "has never ticked"
        if self.silent_s > SILENT_S:
            return f"has not ticked for {self.silent_s:.0f} s"
        if self.late_p95_s > LATE_S:
            return f"ticks {self.late_p95_s:.1f} s late (95th percentile)"
        return None


def sensor_times(
    instance: dg.DagsterInstance, sensors: Iterable[str], now: datetime
) -> list[SensorTimes]:
    """What the cursors of these sensors tell, in their order.

    Empty where no sensor can tick: an instance in memory, as ``materialize`` takes one, has none.
    """
    if instance.schedule_storage is None:
        return []
    states = {
        state.instigator_name: state
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    }
    times = []
    for name in sensors:
        state = states.get(name)
        cursor = None if state is None else getattr(state.instigator_data, "cursor", None)
        account = Punctuality.of_cursor(cursor)
        times.append(
            SensorTimes(
                sensor=name,
                is_on=state is None or state.status is not InstigatorStatus.STOPPED,
                silent_s=None if account is None else now.timestamp() - account.begun_at,
                late_p95_s=0.0 if account is None else account.p95_s,
                late_max_s=0.0 if account is None else account.max_s,
                ticks=0 if account is None else len(account.late_s),
            )
        )
    return times
