"""What a channel is given to send, and what it says became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.incidents.detection import Severity


@dataclass(frozen=True, slots=True)
class Message:
    """One message to people, before it has the form of any channel.

    Attributes
    ----------
    at : datetime
        When it was saved.
    detail : Mapping
        What happened, see `telling`; every key is optional, and upstreams' words are among it.
    url : str
        Of the dashboard; links begin with it.
    fingerprint, began_at : str, datetime or None
        Of its group.
    earlier : tuple of str
        Messages of its group that could not be sent before, each in a line.
    """

    alert_id: int
    at: datetime
    group_id: int | None
    kind: Kind
    level: Severity
    title: str
    body: str
    url: str
    source: str | None = None
    owners: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    began_at: datetime | None = None
    earlier: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether it closes its group."""
        return self.kind is Kind.RESOLVED

    @property
    def group_key(self) -> str:
        """What a paging service knows the group by: the same for all of its messages.

        It names the moment too, so that what happens again is not taken for what was closed.
        """
        if self.fingerprint is None or self.began_at is None:
            return f"healing-message-{self.key}"
        return f"{self.fingerprint[:200]}@{self.began_at:%Y%m%dT%H%M%SZ}"

    @property
    def key(self) -> str:
        """What is the same on every try and for no other message of any installation."""
        said = f"{self.alert_id}\n{self.at.isoformat()}\n{self.title}\n{self.url}"
        return sha256(said.encode("utf-8", "replace")).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try.

    Attributes
    ----------
    sent : bool
        Everybody who can have it has it.
    permanent : bool
        Trying again would end the same way.
    error : str
        For a person, without secrets; of a message that was sent: who could not have it.
    unanswered : bool
        It went out and no answer came back, so that the other side may have it.
    """

    sent: bool
    permanent: bool = False
    error: str = ""
    unanswered: bool = False


class Recipients(Protocol):
    """Who of a channel's recipients has a message already, over all tries."""

    def has(self, recipient: str) -> bool:
        """Whether a recipient has it."""

    def took(self, recipient: str) -> None:
        """Note that a recipient has it now; never raises."""


class Channel(Protocol):
    """A way to people."""

    @property
    def limit_s(self) -> float:
        """Seconds within which a try ends, one way or the other."""

    def send(self, message: Message, recipients: Recipients) -> Outcome:
        """Send a message to whoever does not have it. Never raises for the other side's faults."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A channel that cannot be opened: what it is given fails, and says why."""

    error: str
    limit_s: float = 1.0

    def send(self, message: Message, recipients: Recipients) -> Outcome:  # noqa: ARG002
        """Say why not."""
        return Outcome(sent=False, permanent=True, error=self.error)
