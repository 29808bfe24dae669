"""How much one client may ask, who counts as one client, and how fast a token can be guessed."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.web.clients import LOCAL, Clients
from healing_pipeline.web.limits import (
    TRUSTED_FOR_S,
    WRONG_AT_ONCE,
    WRONG_EVERY_S,
    Attempts,
    Buckets,
)

PROXIES = [ipaddress.ip_network(each) for each in ("10.0.0.7", "10.1.0.0/16", "fd00::/8")]


def scope(peer: str | None, *forwarded: str) -> dict:
    return {
        "client": None if peer is None else (peer, 5000),
        "headers": [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded],
    }


@given(gaps=st.lists(st.floats(0, 0.2), min_size=1, max_size=300), burst=st.integers(1, 20))
def test_nobody_gets_more_than_the_burst_and_what_flowed_in_since(gaps, burst):
    buckets, now, taken = Buckets(10.0, burst), 0.0, 0
    for gap in gaps:
        now += gap
        taken += buckets.take("a", now) == 0.0
        assert taken <= burst + now * 10.0 + 1e-6


@given(gaps=st.lists(st.floats(0.1, 5), max_size=50))
def test_who_asks_no_faster_than_the_rate_is_never_refused(gaps):
    buckets, now = Buckets(10.0, 1), 0.0
    for gap in gaps:
        now += gap + 1e-9
        assert buckets.take("a", now) == 0.0


def test_the_time_to_wait_is_long_enough_and_no_longer():
    buckets = Buckets(2.0, 1)
    assert buckets.take("a", 0.0) == 0.0
    wait_s = buckets.take("a", 0.1)
    assert wait_s == pytest.approx(0.4)
    assert buckets.wait("a", 0.1 + wait_s - 0.01) > 0
    assert buckets.take("a", 0.1 + wait_s) == 0.0


def test_one_client_takes_nothing_from_another():
    buckets = Buckets(1.0, 5)
    for _ in range(100):
        buckets.take("greedy", 0.0)
    assert all(buckets.take("modest", 0.0) == 0.0 for _ in range(5))


def test_only_so_many_clients_are_remembered_and_the_busy_are_not_forgotten():
    buckets = Buckets(1.0, 5, most=100)
    for number in range(10_000):
        buckets.take(f"client {number}", number * 1e-6)
        buckets.take("greedy", number * 1e-6)
    assert len(buckets) == 100
    assert buckets.take("greedy", 0.01) > 0


def test_a_clock_that_goes_back_gives_nothing_away():
    buckets = Buckets(1.0, 1)
    buckets.take("a", 100.0)
    assert buckets.take("a", 50.0) > 0


def test_guessing_is_slow_after_the_first_ones():
    attempts, tried, now = Attempts(), 0, 0.0
    while now < 3600.0:
        if not attempts.wait("guesser", now):
            attempts.was_wrong("guesser", now)
            tried += 1
        now += 0.5
    assert tried <= WRONG_AT_ONCE + 3600 / WRONG_EVERY_S + 1


def test_a_reader_who_was_let_in_does_not_pay_for_a_guesser_at_his_address():
    attempts = Attempts()
    attempts.was_let_in("both", 0.0)
    for _ in range(100):
        attempts.was_wrong("both", 1.0)
    assert attempts.wait("both", 1.0) == 0.0
    for _ in range(100):
        attempts.was_wrong("both", TRUSTED_FOR_S)
    assert attempts.wait("both", TRUSTED_FOR_S) > 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("8.8.8.8", (), "8.8.8.8"),
        # Anybody may write the header; only a proxy that is known is believed.
        ("8.8.8.8", ("1.1.1.1",), "8.8.8.8"),
        ("127.0.0.1", ("1.1.1.1",), "127.0.0.1"),
        ("10.0.0.7", ("1.1.1.1",), "1.1.1.1"),
        # What stands left of the first stranger is the stranger's own word.
        ("10.0.0.7", ("9.9.9.9, 1.1.1.1",), "1.1.1.1"),
        ("10.0.0.7", ("9.9.9.9", "1.1.1.1, 10.1.2.3"), "1.1.1.1"),
        ("10.0.0.7", ("1.1.1.1:4711",), "1.1.1.1"),
        ("10.0.0.7", ("nonsense",), "10.0.0.7"),
        ("10.0.0.7", ("1.1.1.1, nonsense, 10.1.0.9",), "10.1.0.9"),
        ("10.0.0.7", ("",), "10.0.0.7"),
        ("10.0.0.7", (), "10.0.0.7"),
        ("10.0.0.7", ("\xff\xfe",), "10.0.0.7"),
        ("::ffff:10.0.0.7", ("1.1.1.1",), "1.1.1.1"),
        ("fd00::1", ("[2606:4700:1:2:3::4]:99",), "2606:4700:1:2::/64"),
        ("2606:4700:1:2:ffff::1", (), "2606:4700:1:2::/64"),
        ("fe80::1%eth0", (), "fe80::/64"),
        (None, ("1.1.1.1",), LOCAL),
        ("/run/gateway.sock", (), LOCAL),
    ],
)
def test_a_client_is_who_it_is_and_not_who_it_says(peer, forwarded, client):
    assert Clients(PROXIES).of(scope(peer, *forwarded)) == client


@given(claimed=st.text(max_size=40), stranger=st.ip_addresses(v=4))
def test_no_header_makes_a_stranger_another_client(claimed, stranger):
    written = claimed.encode("utf-8", "replace").decode("latin-1")
    assert Clients(PROXIES).of(scope("8.8.4.4", written)) == "8.8.4.4"
    through = Clients(PROXIES).of(scope("10.0.0.7", f"{written}, {stranger}"))
    if not any(stranger in each for each in PROXIES):
        assert through == str(stranger)


@given(low=st.integers(0, 2**64 - 1), high=st.integers(0, 2**64 - 1))
def test_of_ipv6_a_whole_network_is_one_client(low, high):
    net = 0x2606_4700_0001_0002 << 64
    first, second = (str(ipaddress.IPv6Address(net | each)) for each in (low, high))
    assert Clients(()).of(scope(first)) == Clients(()).of(scope(second))
