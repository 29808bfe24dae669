"""The hundred other ways to people, through Apprise."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from healing_pipeline.channels.hearing import Heard, listening
from healing_pipeline.channels.message import Message, Outcome, Recipients
from healing_pipeline.channels.refusals import is_permanent, is_unanswered
from healing_pipeline.channels.secrecy import Secrets
from healing_pipeline.channels.service_forms import call_for

# Apprise would wait 4 s. A service that takes longer has the message, and would get it once more.
ANSWERS_WITHIN_S = 30.0
# Besides each answer: connecting, and the pause that Apprise makes between recipients.
EACH_LIMIT_S, LONGEST_LIMIT_S = ANSWERS_WITHIN_S + 10.0, 240.0

SILENT = "The service did not take it, and did not say why."


def read_service(url: str) -> tuple[Any, Heard]:
    """The service an address names, with what Apprise has against it; None when it names none."""
    # Some 20 MB: only processes that have something to send need it.
    import apprise

    asset = apprise.AppriseAsset(app_id="healing_pipeline", app_desc="healing_pipeline")
    with listening() as heard:
        service = apprise.Apprise.instantiate(url, asset=asset)
    if service is not None and service.socket_read_timeout == apprise.URLBase.socket_read_timeout:
        service.socket_read_timeout = ANSWERS_WITHIN_S
    return service, heard


@dataclass(frozen=True, slots=True)
class ServiceChannel:
    """One of Apprise's services."""

    name: str
    url: str = field(repr=False)
    secrets: Secrets = field(repr=False)
    limit_s: float = EACH_LIMIT_S

    def send(self, message: Message, recipients: Recipients) -> Outcome:
        """Send to each of the address's recipients that does not have it.

        Notes
        -----
        A library's call cannot be ended from outside. One that goes on past the limit is left to
        itself: it is told that all others have the message, and what it hears later is not used.
        """
        trial = _Trial(self.url, message, recipients)
        thread = threading.Thread(target=trial.run, name=f"send {self.name}", daemon=True)
        thread.start()
        thread.join(self.limit_s)
        is_late = thread.is_alive()
        trial.is_left = is_late
        if trial.is_sent or (is_late and trial.was_taken):
            return Outcome(sent=True)
        if is_late:
            error = f"No end of it within {self.limit_s:.0f} s."
            return Outcome(sent=False, error=error, unanswered=True)
        reasons = list(dict.fromkeys(trial.heard.reasons))
        error = self.secrets.strike(" ".join(reasons) or SILENT)
        permanent = trial.is_misfit or is_permanent(trial.heard.statuses, reasons)
        # Whoever can have it has it.
        return Outcome(
            sent=permanent and trial.took_any,
            permanent=permanent,
            error=error,
            unanswered=is_unanswered(reasons),
        )


class _Trial:
    """One call of a service, in a thread that may have to be left alone."""

    def __init__(self, url: str, message: Message, recipients: Recipients) -> None:
        self._url = url
        self._message = message
        self._recipients = recipients
        self.heard = Heard()
        self.is_left = False
        self.is_sent = False
        self.is_misfit = False
        self.took_any = False

    @property
    def was_taken(self) -> bool:
        """Whether the service answered that it took the one message there was."""
        return len(self.heard.statuses) == 1 and 200 <= self.heard.statuses[0] < 300

    def run(self) -> None:
        with listening() as self.heard:
            service, said = read_service(self._url)
            if service is None:
                self.is_misfit = True
                self.heard.reasons += said.reasons
                return
            # Its own way to leave out, on a second try, who has it. It keeps that for one call;
            # we keep it for all of them.
            service.is_delivered = self._has
            service.mark_delivered = self._took
            try:
                self.is_sent = bool(service.notify(**call_for(service, self._message)))
            except Exception as error:
                # Also a fault within the library: the other channels must go on.
                self.is_misfit = type(error).__name__ == "AppriseImproperlyConfigured"
                self.heard.reasons.append(f"{type(error).__name__}: {error}")

    def _has(self, key: object, per_message: bool = False) -> bool:  # noqa: ARG002
        if self.is_left:
            return True
        name = _name_of(key)
        has = name is not None and self._recipients.has(name)
        self.took_any |= has
        return has

    def _took(self, key: object, per_message: bool = False) -> None:  # noqa: ARG002
        name = _name_of(key)
        if name is not None:
            self.took_any = True
            self._recipients.took(name)


def _name_of(key: object) -> str | None:
    """What stays the same from try to try; None for Apprise's own marks."""
    return repr(key) if isinstance(key, str | int | tuple) else None
