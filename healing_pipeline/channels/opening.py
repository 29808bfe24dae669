"""From a configured channel to one that can send: the environment holds its address."""

from __future__ import annotations

from collections.abc import Mapping

from healing_pipeline.alerting.settings import ChannelSettings
from healing_pipeline.channels.mail import MailChannel
from healing_pipeline.channels.mail_account import account_of
from healing_pipeline.channels.message import Channel, Unusable
from healing_pipeline.channels.secrecy import Secrets
from healing_pipeline.channels.services import (
    EACH_LIMIT_S,
    LONGEST_LIMIT_S,
    ServiceChannel,
    read_service,
)

GUIDE = "docs/reference/alert_channels.md has examples"


def open_channel(settings: ChannelSettings, environ: Mapping[str, str]) -> Channel:
    """The channel that `settings` describes; one that says what is wrong when there is none.

    Nothing is connected to yet.
    """
    url = environ.get(settings.env, "").strip()
    if not url:
        return Unusable(
            f"The environment variable {settings.env} is not set. Set it to the address of the "
            f"channel {settings.name} where `healing alerts run` or `healing up` starts; {GUIDE}."
        )
    secrets = Secrets.of(url)
    service, heard = read_service(url)
    said = secrets.strike(" ".join(dict.fromkeys(heard.reasons)))
    if service is None:
        return Unusable(f"The address in {settings.env} cannot be used; {GUIDE}. {said}".strip())
    if heard.reasons and getattr(service, "targets", True) in ([], ()):
        # Some services would send to themselves then.
        return Unusable(f"The address in {settings.env} has nobody to send to. {said}")
    if service.schema in {"mailto", "mailtos"} and service.pgp_mode == "no":
        return MailChannel(settings.name, account_of(service), secrets)
    limit_s = min(LONGEST_LIMIT_S, EACH_LIMIT_S * len(service))
    return ServiceChannel(settings.name, url, secrets, limit_s)
