"""Who is told: the channels that a message takes. Pure."""

from __future__ import annotations

from collections.abc import Collection

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.alerting.settings import AlertSettings, ChannelSettings
from healing_pipeline.incidents.detection import Severity


def channels_for(
    settings: AlertSettings,
    *,
    kind: Kind,
    level: Severity,
    source: str | None,
    owners: Collection[str],
    told: Collection[str],
) -> tuple[str, ...]:
    """Names of the channels that a message takes besides the dashboard, in their order.

    Parameters
    ----------
    told : collection of str
        Channels whose people know of the message's group.

    Notes
    -----
    Whoever was called is told of a rise and of the end, whatever the channel's own levels: to be
    called and to hear no more is the worst of both. Nobody is told of the end who was not called.
    """
    if kind is Kind.RESOLVED:
        return tuple(each.name for each in settings.channels if each.name in told)
    if kind is Kind.TEST:
        return tuple(each.name for each in settings.channels)
    return tuple(
        each.name
        for each in settings.channels
        if takes(each, level=level, source=source, owners=owners)
        or (kind is Kind.RAISED and each.name in told)
    )


def takes(
    channel: ChannelSettings, *, level: Severity, source: str | None, owners: Collection[str]
) -> bool:
    """Whether a channel is meant for a message of this level, source and owners."""
    return (
        level in channel.levels
        and (not channel.sources or source in channel.sources)
        and (not channel.owners or not channel.owners.isdisjoint(owners))
    )
