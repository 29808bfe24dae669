"""The pages of alerts: who is told and why, and forms that do what they say and nothing else."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import urlencode

import psycopg
import pytest
from dashboard_visits import AAPL, ESCALATED, NOON, NOW, PLANTED, Visitor, an_incident
from gateways import default_catalog
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.alerting.muting import matches
from healing_pipeline.catalog.settings import Settings
from healing_pipeline.control.alert_firing import fire
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.alert_groups import (
    group_by_id,
    maintenance_until,
    recover_group,
    resolve_group,
    silences_at,
)
from healing_pipeline.storage.database import connection_info
from healing_pipeline.web.dashboard import actions

ALERTS = "/health-dashboard/alerts"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OURS = {"Sec-Fetch-Site": "same-origin"}
SILENCE = {"source": "yahoo", "endpoint": "", "for": "4h", "reason": "we know", "by": "Ada"}


@pytest.fixture
def visitor(database_url, tmp_path):
    visitor = Visitor(default_catalog(tmp_path), database_url, Settings())
    yield visitor
    visitor.database.close()


def connected(visitor):
    return psycopg.connect(connection_info(visitor.url))


def fired(visitor, level=Severity.ERROR, fingerprint="yahoo:unreachable", **changes):
    values = {
        "title": "yahoo cannot be reached",
        "body": "No strategy helped.",
        "source": "yahoo",
        "root_cause": "host down",
        "detail": {"endpoints": [AAPL], "action": "Look at the provider's status page."},
    }
    with connected(visitor) as connection:
        return fire(
            connection, fingerprint=fingerprint, level=level, at=NOON, **{**values, **changes}
        )


def send(visitor, path, form, **headers):
    return visitor.ask(f"{ALERTS}{path}", "POST", data=form, headers={**OURS, **FORM, **headers})


def test_what_fires_comes_first_the_worst_on_top_with_the_reason_it_was_told(visitor):
    fired(visitor, Severity.WARNING, "a", title="a little wrong")
    fired(visitor, Severity.CRITICAL, "b", title="very wrong")
    over = fired(visitor, Severity.ERROR, "c", title="over by now")
    with connected(visitor) as connection:
        recover_group(connection, over, NOON)
        resolve_group(connection, over, NOW)
    page = visitor.page(ALERTS)
    places = [page.index(each) for each in ("very wrong", "a little wrong", "History", "over by")]
    assert places == sorted(places)
    assert "told at 2026-03-02 12:00:00 UTC" in page


def test_a_quiet_day_says_that_nothing_fires(visitor):
    assert "Nothing fires." in visitor.page(ALERTS)


def test_a_group_shows_messages_members_and_every_channels_end(visitor):
    number = an_incident(visitor.url, *ESCALATED)
    group = fired(visitor, incident_id=number)
    with connected(visitor) as connection:
        alert_id = connection.execute("SELECT id FROM alert").fetchone()[0]
        connection.execute(
            "INSERT INTO delivery (alert_id, channel, state, tries, next_at, sent_at, error) VALUES"
            " (%(id)s, 'web', 'sent', 1, %(at)s, %(at)s, NULL),"
            " (%(id)s, 'mail', 'failed', 1, %(at)s, NULL, 'no such address'),"
            " (%(id)s, 'sms', 'pending', 3, %(at)s, NULL, 'HTTP 503')",
            {"id": alert_id, "at": NOW},
        )
    page = visitor.page(f"{ALERTS}/{group}")
    text = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert f'href="/health-dashboard/incidents/{number}"' in page
    for words in (
        "mail : failed , 1 try: no such address",
        "sms : pending , next try 2026-03-02 13:00:00, 3 tries: HTTP 503",
        "To do: Look at the provider's status page.".replace("'", "&#39;"),
        "Cause".lower(),
    ):
        assert words in text, words
    assert f'href="{ALERTS}/{group}"' in visitor.page(f"/health-dashboard/incidents/{number}")


def test_who_acknowledges_is_noted_and_stays_in_the_form(visitor):
    group = fired(visitor)
    answer = send(visitor, f"/{group}/acknowledge", {"by": " Ada  Lovelace "})
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"{ALERTS}/{group}?said=acknowledged",
    )
    assert "HttpOnly" in answer.headers["set-cookie"]
    with connected(visitor) as connection:
        assert group_by_id(connection, group).acknowledged_by == "Ada Lovelace"
    again = send(visitor, f"/{group}/acknowledge", {"by": "Bob"})
    assert again.headers["location"].endswith("said=already")
    page = visitor.page(again.headers["location"])
    assert "Seen to by Ada Lovelace" in page
    assert "Somebody sees to it already" in page
    cookie = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
    assert 'value="Ada Lovelace"' in visitor.ask(ALERTS, headers=cookie).text


def test_a_silence_keeps_people_from_being_told_until_it_is_ended(visitor):
    group = fired(visitor)
    answer = send(visitor, "/silences", {**SILENCE, "group": str(group)})
    assert answer.headers["location"] == f"{ALERTS}/{group}?said=silenced"
    with connected(visitor) as connection:
        (silence,) = silences_at(connection, NOW)
    assert (silence.source, silence.endpoint, silence.made_by) == ("yahoo", None, "Ada")
    assert silence.ends_at == NOW + timedelta(hours=4)
    assert "silence 1 by Ada" in visitor.page(f"{ALERTS}/{group}")
    assert "we know" in visitor.page(ALERTS)
    send(visitor, f"/silences/{silence.id}/end", {})
    with connected(visitor) as connection:
        assert silences_at(connection, NOW) == []
    assert send(visitor, "/silences/99/end", {}).headers["location"].endswith("said=gone")


def test_maintenance_is_announced_for_a_time_to_come_and_taken_back(visitor):
    form = {**SILENCE, "begins": "2026-03-03T06:00", "for": "until", "until": "2026-03-03T08:30"}
    assert send(visitor, "/maintenance", form).headers["location"].endswith("said=announced")
    with connected(visitor) as connection:
        (window,) = maintenance_until(connection, NOW)
    assert window.ends_at - window.begins_at == timedelta(hours=2, minutes=30)
    assert window.reason == "we know (Ada)"
    assert "to come" in visitor.page(ALERTS)
    send(visitor, f"/maintenance/{window.id}/end", {})
    with connected(visitor) as connection:
        assert maintenance_until(connection, NOW) == []


def test_a_form_that_cannot_be_used_comes_back_with_all_that_is_wrong_and_what_was_written(visitor):
    group = fired(visitor)
    wrong = {"endpoint": "nothing-*", "for": "until", "until": "yesterday", "reason": " ", "by": ""}
    answer = send(visitor, "/silences", {**wrong, "source": PLANTED, "group": str(group)})
    assert answer.status_code == 422
    for words in ("There is no source", "Write the end as", "Say a reason", "Say your name"):
        assert words in answer.text
    assert 'value="nothing-*"' in answer.text
    assert PLANTED not in answer.text
    assert send(visitor, "/silences", {**SILENCE, "endpoint": "nothing-*"}).status_code == 422
    assert send(visitor, f"/{group}/acknowledge", {"by": ""}).status_code == 422
    assert send(visitor, "/maintenance", {**SILENCE, "for": "1 week"}).status_code == 422
    with connected(visitor) as connection:
        assert silences_at(connection, NOW) == maintenance_until(connection, NOW) == []


def test_only_a_form_of_our_own_pages_does_anything(visitor):
    done = 0
    for headers, status in (
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ):
        answer = visitor.ask(f"{ALERTS}/silences", "POST", data=SILENCE, headers=headers)
        assert answer.status_code == status, headers
        done += status == 303
        with connected(visitor) as connection:
            assert len(silences_at(connection, NOW)) == done


def test_what_is_no_form_of_ours_is_refused(visitor):
    for content, headers in (
        (b'{"by": "x"}', {"Content-Type": "application/json"}),
        (b"by=" + b"x" * 9000, FORM),
        (b"&".join(b"a%d=1" % each for each in range(100)), FORM),
        (b"by=\xff", FORM),
    ):
        answer = visitor.ask(
            f"{ALERTS}/1/acknowledge", "POST", content=content, headers={**OURS, **headers}
        )
        assert answer.status_code == 400


def test_an_unknown_alert_is_a_404_that_leads_on(visitor):
    for number in ("77", "abc", "0"):
        assert f'href="{ALERTS}"' in visitor.page(f"{ALERTS}/{number}", 404)
    assert send(visitor, "/abc/acknowledge", {"by": "Ada"}).status_code == 404


def test_what_an_upstream_wrote_is_text_on_the_pages_of_alerts(visitor):
    secret = "Zq8vP2mK4xT7wB1nR5yL"
    hostile = f"{PLANTED} apikey={secret}"
    attempts = [{"strategy": PLANTED, "because": hostile}, "no mapping", {"evidence": None}]
    detail = {
        "action": hostile, "attempts": attempts, "left_out": "nothing", "error_rate": hostile,
        "endpoints": [PLANTED], "healed_by": hostile,
    }  # fmt: skip
    group = fired(
        visitor, title=hostile, body=hostile, source=None, root_cause=hostile, detail=detail
    )
    with connected(visitor) as connection:
        connection.execute(
            "INSERT INTO delivery (alert_id, channel, state, next_at, error)"
            " SELECT id, 'mail', 'failed', at, %s FROM alert",
            [hostile],
        )
    send(visitor, "/silences", {**SILENCE, "reason": hostile, "by": PLANTED[:50]})
    for target in (ALERTS, f"{ALERTS}/{group}"):
        page = visitor.page(target)
        assert PLANTED not in page
        assert "&lt;script&gt;" in page
        assert secret not in page


def test_the_history_is_paged(visitor):
    for each in range(25):
        group = fired(visitor, fingerprint=f"f{each}", title=f"matter {each}.")
        with connected(visitor) as connection:
            recover_group(connection, group, NOON)
            resolve_group(connection, group, NOON)
    first = visitor.page(ALERTS)
    older = re.search(r'href="([^"]+)" rel="next">Older alerts', first)[1].split("#")[0]
    second = visitor.page(older)
    seen = re.findall(r"matter (\d+)\.", first) + re.findall(r"matter (\d+)\.", second)
    assert sorted(map(int, seen)) == list(range(25))


texts = st.text(max_size=40)
forms = st.fixed_dictionaries(
    {},
    optional={
        "source": st.sampled_from(["", "yahoo", "fred"]) | texts,
        "endpoint": st.sampled_from(["", "*", "yahoo/*", "chart-*", AAPL]) | texts,
        "for": st.sampled_from(["1h", "4h", "1d", "until"]) | texts,
        "until": st.datetimes(datetime(1, 1, 1)).map(str) | texts,  # noqa: DTZ001
        "begins": st.datetimes(datetime(1, 1, 1)).map(str) | texts,  # noqa: DTZ001
        "reason": texts,
        "by": texts,
    },
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return default_catalog(tmp_path_factory.mktemp("config"))


@given(form=forms)
def test_any_form_is_a_mute_that_holds_or_sentences(catalog, form):
    silence = asked_by(actions.silence_in, form, catalog)
    if isinstance(silence, actions.AskedSilence):
        assert NOW < silence.ends_at <= NOW + actions.LONGEST_MUTE
        assert silence.reason
        assert silence.by
        assert any(
            silence.source in {None, each.source}
            and (silence.endpoint is None or matches(silence.endpoint, each.id))
            for each in catalog.endpoints.values()
        )
    window = asked_by(actions.maintenance_in, form, catalog)
    if isinstance(window, actions.AskedMaintenance):
        assert window.ends_at > NOW
        assert window.begins_at < window.ends_at


def asked_by(read, form, catalog):
    try:
        return read(form, catalog, NOW)
    except actions.FormError as refused:
        problems = refused.problems
    assert problems
    assert all(each.endswith((".", "*.")) for each in problems)
    return None


def test_a_query_puts_no_words_of_its_own_on_the_page(visitor):
    said = urlencode({"said": "Your password was changed"})
    assert "password" not in visitor.page(f"{ALERTS}?{said}")
