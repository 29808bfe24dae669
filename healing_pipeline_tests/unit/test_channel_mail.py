from __future__ import annotations

import socket
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages_to_send import FIRED, RESOLVED, Nobody, message
from post_offices import CERTIFICATE, free_port, mail_server

from healing_pipeline.alerting.settings import ChannelSettings
from healing_pipeline.channels.mail import MailChannel
from healing_pipeline.channels.mail_account import MailAccount, Mailbox, compose
from healing_pipeline.channels.message import Channel, Outcome, Unusable
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.channels.secrecy import Secrets

anything = st.text(st.characters(exclude_categories=()), max_size=300)
ACCOUNT = MailAccount(
    host="127.0.0.1",
    port=25,
    mode="insecure",
    user=None,
    password=None,
    sender=Mailbox("Alerts", "alerts@healing.test"),
    to=(Mailbox("", "oncall@healing.test"),),
)


def mail(port: int, rest: str = "to=oncall@healing.test", user: str = "alerts") -> Channel:
    url = f"mailto://{user}@healing.test:{port}?smtp=127.0.0.1&mode=insecure&{rest}"
    channel = open_channel(ChannelSettings("mail", "MAIL"), {"MAIL": url})
    assert isinstance(channel, MailChannel)
    return channel


@pytest.fixture(scope="module")
def server():
    with mail_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(server):
    server.letters.clear()
    server.refuses.clear()


def test_a_letter_arrives_with_a_text_part_and_html_that_say_the_same(server) -> None:
    assert mail(server.port).send(FIRED, Nobody()) == Outcome(sent=True)
    (letter,) = server.letters
    assert letter.recipients == ["oncall@healing.test"]
    parsed = letter.parsed
    assert parsed["Subject"] == "[CRITICAL] Yahoo Finance: 2 endpoints cannot be healed"
    assert parsed["To"] == "oncall@healing.test"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed.get_content_type() == "multipart/alternative"
    # The last part is the one a reader prefers.
    assert [each.get_content_type() for each in parsed.iter_parts()] == ["text/plain", "text/html"]
    assert "status 503 <script>alert('evil')</script>" in letter.part("plain")
    assert "<script>" not in letter.part("html")
    assert "&lt;script&gt;" in letter.part("html")
    for part in ("plain", "html"):
        assert "http://healing.test:8888/health-dashboard/incidents/12" in letter.part(part)
        assert "another host may answer" in letter.part(part)


def test_a_second_try_has_the_same_message_id_and_no_other_message_has_it(server) -> None:
    channel = mail(server.port)
    for each in (FIRED, FIRED, RESOLVED):
        channel.send(each, Nobody())
    first, second, other = (each.parsed for each in server.letters)
    assert first["Message-ID"] == second["Message-ID"] != other["Message-ID"]
    assert first["References"] == other["References"], "one thread"
    elsewhere = compose(replace(FIRED, url="http://other.test"), ACCOUNT, "mail")
    assert elsewhere["Message-ID"] != first["Message-ID"], "two installations, one mailbox"


def test_everybody_gets_one_letter_and_those_in_blind_copy_stay_unseen(server) -> None:
    rest = "to=a@healing.test,b@healing.test&cc=c@healing.test&bcc=d@healing.test"
    assert mail(server.port, rest).send(FIRED, Nobody()).sent
    (letter,) = server.letters
    assert sorted(each[0] for each in letter.recipients) == ["a", "b", "c", "d"]
    assert b"d@healing.test" not in letter.content


def test_who_cannot_take_it_yet_gets_it_on_the_next_try_and_the_others_not_again(server) -> None:
    channel = mail(server.port, "to=a@healing.test,b@healing.test")
    people = Nobody()
    server.refuses["b@healing.test"] = "451 greylisted, come back"
    outcome = channel.send(FIRED, people)
    assert (outcome.sent, outcome.permanent) == (False, False)
    assert "451 greylisted" in outcome.error
    server.refuses.clear()
    assert channel.send(FIRED, people) == Outcome(sent=True)
    assert channel.send(FIRED, people) == Outcome(sent=True)
    assert [each.recipients for each in server.letters] == [["a@healing.test"], ["b@healing.test"]]


def test_a_wrong_address_is_named_and_does_not_keep_it_from_the_others(server) -> None:
    server.refuses["b@healing.test"] = "550 no such user"
    outcome = mail(server.port, "to=a@healing.test,b@healing.test").send(FIRED, Nobody())
    assert outcome.sent
    assert "b@healing.test: 550 no such user" in outcome.error
    alone = mail(server.port, "to=b@healing.test").send(FIRED, Nobody())
    assert (alone.sent, alone.permanent) == (False, True)


def test_a_server_that_hangs_up_midway_took_it_for_nobody(server) -> None:
    server.refuses["a@healing.test"] = "421 closing"
    people = Nobody()
    outcome = mail(server.port, "to=a@healing.test,b@healing.test").send(FIRED, people)
    assert (outcome.sent, outcome.permanent, people.have) == (False, False, set())


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_refused_password_is_for_good_and_is_not_repeated() -> None:
    with mail_server(password="right") as server:
        outcome = mail(server.port, user="alerts:Wr0ngPassw0rd").send(FIRED, Nobody())
        assert (outcome.sent, outcome.permanent) == (False, True)
        assert "535" in outcome.error
        assert "Wr0ngPassw0rd" not in outcome.error
        assert mail(server.port, user="alerts:right").send(FIRED, Nobody()).sent
        assert len(server.letters) == 1


@pytest.mark.parametrize("mode", ["starttls", "ssl"])
def test_letters_are_encrypted_for_a_server_whose_certificate_is_good(mode, monkeypatch) -> None:
    with mail_server(encryption=mode) as server:
        rest = f"to=oncall@healing.test&mode={mode}"
        url = f"mailtos://alerts@healing.test:{server.port}?smtp=127.0.0.1&{rest}"

        def send(url: str) -> Outcome:
            return open_channel(ChannelSettings("mail", "M"), {"M": url}).send(FIRED, Nobody())

        outcome = send(url)
        assert (outcome.sent, outcome.permanent) == (False, False), "it may be mended"
        assert "CERTIFICATE_VERIFY_FAILED" in outcome.error
        assert send(f"{url}&verify=no").sent
        # As if the machine trusted it.
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert send(url).sent
        assert len(server.letters) == 2


def test_a_server_that_cannot_encrypt_is_refused_for_good(server) -> None:
    url = f"mailtos://a@healing.test:{server.port}?smtp=127.0.0.1&mode=starttls&to=b@healing.test"
    outcome = open_channel(ChannelSettings("mail", "M"), {"M": url}).send(FIRED, Nobody())
    assert (outcome.sent, outcome.permanent) == (False, True)
    assert "STARTTLS" in outcome.error
    assert not server.letters, "nothing was said in plain"


def test_a_server_that_is_away_is_tried_again() -> None:
    outcome = mail(free_port()).send(FIRED, Nobody())
    assert (outcome.sent, outcome.permanent) == (False, False)
    assert "ConnectionRefusedError" in outcome.error


@contextmanager
def a_server_that_drips():
    """Says a character of an endless greeting now and then."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        stopped = threading.Event()

        def drip() -> None:
            with listener.accept()[0] as caller:
                while not stopped.wait(0.05):
                    try:
                        caller.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        stopped.set()
        thread.join()


def test_a_server_that_drips_is_left_when_the_time_is_over() -> None:
    with a_server_that_drips() as port:
        account = replace(ACCOUNT, port=port)
        began = time.monotonic()
        outcome = MailChannel("mail", account, Secrets(()), limit_s=0.4).send(FIRED, Nobody())
    assert (outcome.sent, outcome.permanent) == (False, False)
    assert time.monotonic() - began < 3


@given(title=anything, body=anything, name=anything, header=anything)
def test_any_text_makes_a_letter_whose_headers_stay_in_their_lines(title, body, name, header):
    account = replace(
        ACCOUNT,
        sender=Mailbox(name, "alerts@healing.test"),
        headers=(("X-Team", header), ("Subject", header), ("Bcc", header), (header, "x")),
    )
    sent = message(title=title, body=body, detail={"evidence": body})
    content = compose(sent, account, "mail").as_bytes()
    parsed = message_from_bytes(content, policy=policy.default)
    assert {*parsed.keys()} <= {
        *("Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "Importance", "X-Priority", "X-Team", "MIME-Version"),
        *("Content-Type", header),
    }
    assert not parsed.defects
    assert parsed["To"] == "oncall@healing.test"
    assert all(len(each) <= 998 for each in content.split(b"\r\n"))
    assert content.isascii()


def test_a_subject_with_a_line_end_adds_no_header() -> None:
    content = compose(message(title="down\r\nBcc: evil@evil.test\r\n\r\nhello"), ACCOUNT, "mail")
    assert content["Bcc"] is None
    assert content["Subject"] == "[CRITICAL] down Bcc: evil@evil.test hello"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "MAIL is not set"),
        ({"MAIL": "  "}, "MAIL is not set"),
        ({"MAIL": "nonsense"}, "cannot be used"),
        ({"MAIL": "nonsense://Pa55word@host/Pa55word"}, "cannot be used"),
        ({"MAIL": "sns://AKIAIOSFODNN7EXAMPLE/wJalrXUtnFEMI/K7MDENG/nowhere/12"}, "cannot be used"),
    ],
)
def test_an_address_that_is_none_fails_with_its_cure_and_without_its_secrets(environ, says):
    channel = open_channel(ChannelSettings("mail", "MAIL"), environ)
    assert isinstance(channel, Unusable)
    outcome = channel.send(FIRED, Nobody())
    assert (outcome.sent, outcome.permanent) == (False, True)
    assert says in outcome.error
    for secret in ("Pa55word", "wJalrXUtnFEMI", "K7MDENG", "AKIAIOSFODNN7EXAMPLE"):
        assert secret not in outcome.error
