from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from messages_to_send import FIRED, RESOLVED, Nobody, message
from post_offices import HttpServer, Request, free_port, http_server

from healing_pipeline.alerting.settings import ChannelSettings
from healing_pipeline.channels.gsm import SEPTETS, is_gsm, septets
from healing_pipeline.channels.message import Channel, Message, Outcome
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.channels.refusals import is_permanent
from healing_pipeline.channels.secrecy import Secrets
from healing_pipeline.channels.service_forms import call_for, is_text_message
from healing_pipeline.channels.services import ServiceChannel, read_service
from healing_pipeline.incidents.detection import Severity

TOKEN = "0123456789abcdef0123456789abcdef"
SID = "AC0123456789abcdef0123456789abcdef"
TWILIO = f"twilio://{SID}:{TOKEN}@15551230000/15551230001"
TO_TWO = f"{TWILIO}/15551230002"


def opened(url: str) -> Channel:
    channel = open_channel(ChannelSettings("any", "ANY"), {"ANY": url})
    assert isinstance(channel, ServiceChannel), channel
    return channel


def send(url: str, sent: Message = FIRED, people: Nobody | None = None) -> Outcome:
    return opened(url).send(sent, Nobody() if people is None else people)


@pytest.fixture(scope="module")
def _server():
    with http_server() as server:
        yield server


@pytest.fixture
def server(_server: HttpServer, monkeypatch) -> HttpServer:
    """Twilio's and PagerDuty's API, and anybody's webhook."""
    from apprise.plugins import pagerduty, twilio

    monkeypatch.setattr(twilio.NotifyTwilio, "notify_sms_url", _server.url + "/{sid}/Messages.json")
    monkeypatch.setattr(twilio.NotifyTwilio, "request_rate_per_sec", 0)
    monkeypatch.setitem(pagerduty.PAGERDUTY_API_LOOKUP, "us", f"{_server.url}/v2/enqueue")
    _server.requests.clear()
    _server.status, _server.answer = 201, None
    return _server


def test_twilio_gets_one_text_message_of_160_characters_at_most_with_the_link_whole(server):
    assert send(TWILIO) == Outcome(sent=True)
    (request,) = server.requests
    assert request.path == f"/{SID}/Messages.json"
    text = request.form["Body"]
    assert (request.form["To"], request.form["From"]) == ("+15551230001", "+15551230000")
    assert is_gsm(text)
    assert septets(text) <= SEPTETS
    assert text.startswith("CRITICAL: Yahoo Finance: 2 endpoints cannot be healed")
    assert text.endswith(" http://healing.test:8888/health-dashboard/incidents/12")


def test_a_long_title_is_cut_before_it_is_sent_as_two(server):
    assert send(TWILIO, message(title="Börse [" * 60)).sent
    (request,) = server.requests
    assert septets(request.form["Body"]) == SEPTETS


@pytest.fixture
def heard_by_all() -> Iterator[list[str]]:
    """What loggers pass on to whoever listens to all of them."""
    said: list[str] = []
    ear = logging.Handler()
    ear.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(ear)
    yield said
    logging.getLogger().removeHandler(ear)


def test_a_refused_token_is_for_good_and_is_not_repeated(server, heard_by_all):
    server.status = 401
    server.body = json.dumps({"code": 20003, "message": f"Authenticate {TOKEN}"}).encode()
    outcome = send(TWILIO)
    assert (outcome.sent, outcome.permanent) == (False, True)
    assert "Authenticate" in outcome.error
    for said in (outcome.error, *heard_by_all, repr(opened(TWILIO))):
        assert TOKEN not in said


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_service_that_cannot_take_it_now_is_tried_again(server, status):
    server.status, server.body = status, b"{}"
    outcome = send(TWILIO)
    assert (outcome.sent, outcome.permanent) == (False, False)


def test_a_service_that_is_away_is_tried_again():
    outcome = send(f"json://127.0.0.1:{free_port()}/hook")
    assert (outcome.sent, outcome.permanent) == (False, False)
    assert "Connection error" in outcome.error
    assert "refused" in outcome.error


def test_a_phone_that_has_the_message_does_not_get_it_again(server):
    def answer(request: Request) -> tuple[int, bytes]:
        return (503, b"{}") if request.form["To"].endswith("2") else (201, b"{}")

    people = Nobody()
    server.answer = answer
    outcome = send(TO_TWO, people=people)
    assert (outcome.sent, outcome.permanent) == (False, False)
    server.answer = None
    assert send(TO_TWO, people=people) == Outcome(sent=True)
    assert [each.form["To"][-1] for each in server.requests] == ["1", "2", "2"]


def test_a_wrong_number_does_not_keep_it_from_the_others(server):
    server.answer = lambda request: (
        (400, b'{"code": 21211, "message": "is no phone number"}')
        if request.form["To"].endswith("2")
        else (201, b"{}")
    )
    outcome = send(TO_TWO)
    assert outcome.sent
    assert "is no phone number" in outcome.error


def test_no_phone_that_can_be_used_is_said_at_once():
    channel = open_channel(ChannelSettings("sms", "SMS"), {"SMS": TWILIO[:-11] + "bad"})
    outcome = channel.send(FIRED, Nobody())
    assert outcome.permanent
    assert "nobody to send to" in outcome.error


def test_a_webhook_gets_every_field(server):
    url = f"json://127.0.0.1:{server.port}/hook?+X-Team=markets&:team=quotes"
    assert send(url).sent
    (request,) = server.requests
    assert request.headers["X-Team"] == "markets"
    fields = request.json
    assert fields["level"] == "critical"
    assert fields["detail"]["attempts"][0]["strategy"] == "alternate_host"
    assert fields["title"] == "[CRITICAL] Yahoo Finance: 2 endpoints cannot be healed"
    assert fields["team"] == "quotes"
    assert fields["message_key"] == FIRED.key


def test_a_pager_raises_and_resolves_one_incident_per_group(server):
    server.status = 202
    url = "pagerduty://0123456789abcdefIntegration@0123456789abcdefKey"
    for each in (FIRED, replace(FIRED, alert_id=9, level=Severity.ERROR), RESOLVED):
        assert send(url, each).sent
    first, again, last = (each.json for each in server.requests)
    assert [each["event_action"] for each in (first, again, last)] == [
        "trigger",
        "trigger",
        "resolve",
    ]
    assert first["dedup_key"] == again["dedup_key"] == last["dedup_key"]
    assert first["dedup_key"].startswith("yahoo:unreachable")
    assert (first["payload"]["severity"], again["payload"]["severity"]) == ("critical", "error")
    assert first["payload"]["source"] == "yahoo"
    assert "status page" in first["payload"]["custom_details"]["What to do"]
    assert first["links"][0]["href"].endswith("/health-dashboard/incidents/12")


def test_a_call_that_never_ends_is_left_and_sends_nothing_more(server):
    going_on = threading.Event()

    def answer(_request: Request) -> tuple[int, bytes]:
        going_on.wait(5)
        return 503, b"{}"

    server.answer = answer
    channel = ServiceChannel("sms", TO_TWO, Secrets.of(TO_TWO), limit_s=0.2)
    outcome = channel.send(FIRED, Nobody())
    assert (outcome.sent, outcome.permanent) == (False, False)
    left = next(each for each in threading.enumerate() if each.name == "send sms")
    going_on.set()
    left.join(5)
    assert [each.form["To"][-1] for each in server.requests] == ["1"]


def test_a_service_that_takes_the_message_and_does_not_answer_is_told_from_one_that_is_away():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        thread.start()
        outcome = send(f"json://127.0.0.1:{listener.getsockname()[1]}/hook")
        thread.join(5)
    assert (outcome.sent, outcome.permanent, outcome.unanswered) == (False, False, True)
    assert not send(f"json://127.0.0.1:{free_port()}/hook").unanswered


def test_a_service_has_time_to_answer_unless_its_address_says_less():
    assert read_service("json://hook.test")[0].request_timeout[1] == 30
    assert read_service("json://hook.test?rto=2")[0].request_timeout[1] == 2


@pytest.mark.parametrize(
    ("url", "is_short"),
    [
        (TWILIO, True),
        ("sns://AKIAIOSFODNN7EXAMPLE/wJalrXUtnFEMIK7MDENG/us-east-1/12223334444", True),
        ("clicksend://user:Key@12223334444", True),
        (f"{TWILIO}?method=call", False),
        ("sns://AKIAIOSFODNN7EXAMPLE/wJalrXUtnFEMIK7MDENG/us-east-1/%23topic", False),
        ("signal://localhost:8080/15551230000/15551230001", False),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/alerts", False),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", False),
    ],
)
def test_phones_get_the_short_form_and_nobody_else(url, is_short):
    service, _ = read_service(url)
    assert is_text_message(service) is is_short
    call = call_for(service, FIRED)
    assert len(call["body"]) <= service.body_maxlen
    assert len(call["title"]) <= max(0, service.title_maxlen) or service.title_maxlen <= 0
    assert "http://healing.test:8888/health-dashboard/incidents/12" in call["body"]


def test_every_service_gets_a_form_within_its_limits():
    """By the limits of their classes: which of them somebody will use is not known."""
    from apprise.manager_plugins import NotificationManager

    known = NotificationManager()
    classes = {known[schema] for schema in known.schemas()}
    assert len(classes) > 100
    for each in classes:
        limits = (each.body_maxlen, each.title_maxlen)
        if not all(isinstance(limit, int) for limit in limits):
            continue  # depends on the address
        service = SimpleNamespace(
            schema="any",
            body_maxlen=each.body_maxlen,
            title_maxlen=each.title_maxlen,
            template_tokens=each.template_tokens,
            template_args=each.template_args,
            dedup="",
            alias="",
            click="",
            action=None,
        )
        call = call_for(service, message(title="T" * 500, body="B" * 5000))
        title_limit = each.title_maxlen if each.title_maxlen > 0 else 250
        assert len(call["title"]) <= title_limit, each
        room = 0 if each.title_maxlen > 0 or not call["title"] else len(call["title"]) + 2
        assert 0 < len(call["body"]) <= each.body_maxlen - room, each


@pytest.mark.parametrize(
    ("statuses", "reasons", "permanent"),
    [
        ([401], ["Failed"], True),
        ([404, 503], ["Failed"], False),
        ([429], ["Failed"], False),
        ([], ["Failed to send: Bad, error=400."], True),
        ([], ["Failed to send: Busy, error=503."], False),
        ([400], ["A Connection error occurred sending"], False),
        ([200], ["invalid_auth"], True),
        ([200], ["ratelimited: rate limit"], False),
        ([], ["There are no valid Twilio targets to notify."], True),
        ([], [], False),
    ],
)
def test_what_is_for_good_is_told_from_what_passes(statuses, reasons, permanent):
    assert is_permanent(statuses, reasons) is permanent


@pytest.mark.parametrize(
    "url",
    [
        "mailto://user:p%40ss:w0rd%2F!@mail.test?smtp=smtp.test&to=a@b.test,oncall@b.test",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts",
        "json://user:hunter2x@hook.test/services/S3cretPath?token=abcdef12",
        "tgram://123456789:AbCdEfGhIjK/12315544",
    ],
)
def test_secrets_of_an_address_are_struck_wherever_they_stand(url):
    struck = Secrets.of(url).strike(f"cannot post to {url}: p@ss:w0rd/! S3cretPath abcdef12 ")
    for secret in ("p%40ss", "w0rd", "S3cretPath", "abcdef12", "TIiajkdnlazkcOXrIdevi7FQ",
                   "hunter2x", "AbCdEfGhIjK", "A1BRTD4JD"):  # fmt: skip
        if secret in url:
            assert secret not in struck
    shown = "smtp.test refuses oncall@b.test"
    assert Secrets.of(url).strike(shown) == shown
