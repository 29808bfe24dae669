"""E-mail, over SMTP.

Of our own, on the standard library, because Apprise's plugin (2.3) cannot do what an outbox needs:
its text part is made from the HTML, every try gets a new Message-ID, a refusal is not told from a
server that is away, and recipients in copy get a letter for each of the others. Addresses are still
read by Apprise, so that all of its forms and its defaults for known providers hold.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from healing_pipeline.channels.mail_account import MailAccount, compose
from healing_pipeline.channels.message import Message, Outcome, Recipients
from healing_pipeline.channels.refusals import is_permanent_reply
from healing_pipeline.channels.secrecy import Secrets

# A server that looks into letters takes its time to say that it has one.
LIMIT_S = 120.0
_NOT_ASKED = (421, b"the server closed the session before")


@dataclass(frozen=True, slots=True)
class MailChannel:
    """Letters through one account."""

    name: str
    account: MailAccount
    secrets: Secrets
    limit_s: float = LIMIT_S

    def send(self, message: Message, recipients: Recipients) -> Outcome:
        """Hand the letter in for whoever does not have it, in one transaction."""
        wanted = [each for each in self.account.everybody if not recipients.has(each)]
        if not wanted:
            return Outcome(sent=True)
        try:
            letter = compose(message, self.account, self.name).as_bytes()
        except ValueError as error:
            return self._failed(f"The letter cannot be written: {error}", permanent=True)
        try:
            with self._session() as session:
                refused = session.sendmail(self.account.sender.address, wanted, letter)
        except smtplib.SMTPRecipientsRefused as error:
            # Nobody has it. Who was not asked for before the server gave up is asked for again.
            refused = {each: error.recipients.get(each, _NOT_ASKED) for each in wanted}
        except smtplib.SMTPResponseException as error:
            said = f"{error.smtp_code} {_text(error.smtp_error)}"
            what = "refuses the login" if _is_login(error) else "refuses"
            return self._failed(
                f"{self.account.host} {what}: {said}",
                permanent=is_permanent_reply(error.smtp_code),
            )
        except smtplib.SMTPNotSupportedError as error:
            return self._failed(f"{self.account.host}: {error}", permanent=True)
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            return self._failed(
                f"{self.account.host}:{self.account.port} did not take it: "
                f"{type(error).__name__}: {error}",
                permanent=isinstance(error, UnicodeError),
            )
        for each in wanted:
            if each not in refused:
                recipients.took(each)
        return self._outcome(refused, anybody=len(refused) < len(self.account.everybody))

    def _outcome(self, refused: dict[str, tuple[int, bytes]], *, anybody: bool) -> Outcome:
        if not refused:
            return Outcome(sent=True)
        said = "; ".join(f"{who}: {code} {_text(why)}" for who, (code, why) in refused.items())
        if not all(is_permanent_reply(code) for code, _ in refused.values()):
            return self._failed(f"{self.account.host} does not take it yet for {said}")
        error = f"{self.account.host} refuses it for {said}"
        if anybody:
            return Outcome(sent=True, error=self.secrets.strike(error))
        return self._failed(error, permanent=True)

    def _failed(self, error: str, *, permanent: bool = False) -> Outcome:
        return Outcome(sent=False, permanent=permanent, error=self.secrets.strike(error))

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        account = self.account
        name = socket.gethostname()
        settings: dict[str, Any] = {
            "limit_s": self.limit_s,
            "host": account.host,
            "port": account.port,
            # Or smtplib would ask the resolver for it, which may be what is down.
            "local_hostname": name if "." in name else "[127.0.0.1]",
            "timeout": min(account.timeout_s, self.limit_s),
        }
        session: smtplib.SMTP = (
            _TlsSession(context=_encryption(account), **settings)
            if account.mode == "ssl"
            else _Session(**settings)
        )
        try:
            if account.mode == "starttls":
                session.starttls(context=_encryption(account))
            if account.user and account.password:
                session.login(account.user, account.password)
            if session.sock is not None:
                session.sock.settimeout(self.limit_s)
            yield session
            # It has the letter: how it says goodbye does not matter.
            with suppress(smtplib.SMTPException, OSError):
                session.quit()
        finally:
            session.close()


class _Limited:
    """A session that is hung up after some seconds, all in all.

    A server that says a word now and then would keep its caller for ever: the socket's own timeout
    begins anew with every word.
    """

    sock: socket.socket | None

    def __init__(self, *args: Any, limit_s: float, **settings: Any) -> None:
        self._watch = threading.Timer(limit_s, self._hang_up)
        self._watch.daemon = True
        self._watch.start()
        super().__init__(*args, **settings)

    def _hang_up(self) -> None:
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, and watch it no more."""
        self._watch.cancel()
        super().close()  # type: ignore[misc]


class _Session(_Limited, smtplib.SMTP):
    pass


class _TlsSession(_Limited, smtplib.SMTP_SSL):
    pass


def _encryption(account: MailAccount) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not account.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_login(error: smtplib.SMTPResponseException) -> bool:
    return isinstance(error, smtplib.SMTPAuthenticationError)


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
