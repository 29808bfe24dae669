"""A mail account as an Apprise address describes it, and the letter as it leaves from there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

from healing_pipeline.channels.letter_form import letter_form
from healing_pipeline.channels.message import Message
from healing_pipeline.channels.texts import line
from healing_pipeline.incidents.detection import Severity

# No server needs extensions for it, and no header can leave its line.
POLICY = SMTP.clone(cte_type="7bit", utf8=False)
OURS = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "references", "sender",
     "return-path", "auto-submitted"}
)  # fmt: skip
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with the name that stands before it, perhaps empty."""

    name: str
    address: str

    @property
    def header(self) -> Address:
        """As it stands in a header."""
        return Address(line(self.name, 80), addr_spec=self.address)


@dataclass(frozen=True, slots=True)
class MailAccount:
    """Where letters are handed in, by whom, for whom.

    Attributes
    ----------
    mode : str
        ``insecure``, ``starttls`` or ``ssl``.
    """

    host: str
    port: int
    mode: str
    user: str | None
    password: str | None = field(repr=False)
    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    verifies: bool = True
    timeout_s: float = 15.0

    @property
    def everybody(self) -> tuple[str, ...]:
        """The address of each recipient, once."""
        return tuple(dict.fromkeys(each.address for each in (*self.to, *self.cc, *self.bcc)))


def account_of(service: Any) -> MailAccount:
    """The account that Apprise's e-mail plugin has read from an address, with its defaults."""
    names = service.names

    def box(address: str) -> Mailbox:
        return Mailbox(names.get(address) or "", address)

    return MailAccount(
        host=service.smtp_host,
        port=int(service.port),
        mode=str(service.secure_mode),
        user=service.user or None,
        password=service.password or None,
        sender=Mailbox(service.from_addr[0] or "", service.from_addr[1]),
        to=tuple(Mailbox(name or "", address) for name, address in service.targets),
        cc=tuple(box(each) for each in sorted(service.cc)),
        bcc=tuple(box(each) for each in sorted(service.bcc)),
        reply_to=tuple(box(each) for each in sorted(service.reply_to)),
        headers=tuple(service.headers.items()),
        verifies=bool(service.verify_certificate),
        timeout_s=float(service.socket_connect_timeout),
    )


def compose(message: Message, account: MailAccount, channel: str) -> EmailMessage:
    """`message` as the letter that is handed in: the same, to the byte but for part boundaries.

    Its Message-ID is the same on every try, so that mail servers and readers that know one letter
    from two drop a second copy. Letters about one group are shown as one thread.
    """
    form = letter_form(message)
    letter = EmailMessage(policy=POLICY)
    letter["Subject"] = form.subject
    letter["From"] = account.sender.header
    letter["To"] = [each.header for each in account.to]
    if account.cc:
        letter["Cc"] = [each.header for each in account.cc]
    if account.reply_to:
        letter["Reply-To"] = [each.header for each in account.reply_to]
    letter["Date"] = format_datetime(message.at)
    domain = account.sender.address.rpartition("@")[2]
    domain = domain if _DOMAIN.fullmatch(domain) else "localhost"
    sender = sha256(channel.encode("utf-8", "replace")).hexdigest()[:8]
    thread = sha256(f"{message.url}\n{message.group_key}".encode("utf-8", "replace")).hexdigest()
    letter["Message-ID"] = f"<healing.{message.key}.{sender}@{domain}>"
    letter["References"] = f"<healing.{thread[:24]}.{sender}@{domain}>"
    # No holiday notice in return.
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    if message.level is Severity.CRITICAL and not message.is_over:
        letter["Importance"] = "high"
        letter["X-Priority"] = "1"
    for name, value in account.headers:
        if _HEADER_NAME.fullmatch(name) and name.lower() not in OURS | set(letter):
            letter[name] = line(value, 500)
    letter.set_content(form.text)
    letter.add_alternative(form.html, subtype="html")
    return letter
