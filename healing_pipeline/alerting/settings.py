"""What a configuration may say about alerts, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from healing_pipeline.incidents.detection import Severity

PEOPLE_ARE_TOLD = frozenset({Severity.ERROR, Severity.CRITICAL})

# The dashboard is a channel that every message reaches at once.
WEB = "web"


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """A way to people, and which messages take it.

    Attributes
    ----------
    name : str
    env : str
        The environment variable that holds the channel's address, an Apprise URL. It may hold
        passwords, so it stands nowhere else.
    levels : frozenset of Severity
    sources, owners : frozenset of str
        Empty: all.
    """

    name: str
    env: str
    levels: frozenset[Severity] = PEOPLE_ARE_TOLD
    sources: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """The section `alerts` of a configuration. Names that Gatus has too mean the same as there.

    Attributes
    ----------
    url : str
        Where the dashboard is reached by whoever gets a message; its links begin with it.
    channels : tuple of ChannelSettings
        Besides the dashboard.
    failure_threshold : int
        Failed observations in a row before an incident that nothing heals is told of.
    success_threshold : int
        Good observations in a row before it counts as over.
    send_on_resolved : bool
        Whether people are told that it is over.
    minimum_reminder_interval : timedelta or None
        At least this between two messages of one level about one group, an hour or more; None: no
        reminders. A rise in level and the closing message never wait.
    minimum_samples : int
        Requests that a share of errors needs before it says anything.
    keep_firing_for : timedelta
        How long a group has to stay well before it is closed; doubled for each time that it fired
        in the last hour, an hour at most.
    objective : float
        The share of readers' requests that have to be answered, of each source.
    heals_too_often : int
        Heals of one endpoint within an hour that people should know of.
    """

    url: str = "http://localhost:8888"
    channels: tuple[ChannelSettings, ...] = ()
    failure_threshold: int = 2
    success_threshold: int = 2
    send_on_resolved: bool = True
    minimum_reminder_interval: timedelta | None = timedelta(hours=1)
    minimum_samples: int = 20
    keep_firing_for: timedelta = timedelta(seconds=60)
    objective: float = 0.99
    heals_too_often: int = 12
