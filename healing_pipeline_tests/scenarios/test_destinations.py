"""No call goes where the catalog does not point, whatever a name resolves to or a redirect says."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from test_http_sender import Upstream, message, redirect, request_to, saying, upstream

from healing_pipeline.catalog.destinations import Destinations
from healing_pipeline.catalog.urls import origin_of
from healing_pipeline.probing.response import NoAnswer, Response
from healing_pipeline.transport.http import HttpSender, new_client
from healing_pipeline.transport.reaching import Reach
from healing_pipeline.transport.resolving import GuardedResolver, InsideError

KEY = "k3y/of+mine=0123456789"
INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
    "2002:7f00:1::", "::7f00:1", "fec0::1", "fe80::1%eth0",
]  # fmt: skip


@dataclass
class Names(AbstractResolver):
    """What names lead to, each time that they are asked for."""

    leads_to: Mapping[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host, port=0, family=socket.AF_INET) -> list[ResolveResult]:
        turns = self.leads_to[host]
        found = turns[min(self.asked.count(host), len(turns) - 1)]
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in found
        ]

    async def close(self) -> None:
        return None


def allowed(*urls: str, inside: tuple[str, ...] = (), secrets: tuple[str, ...] = ()):
    return Destinations(
        frozenset(map(origin_of, urls)),
        frozenset(origin_of(each)[1:] for each in inside),
        frozenset(secrets),
    )


def ask(respond, names: Mapping[str, list[list[str]]], url: str, *urls: str, inside=(), secrets=()):
    """The answer to one call of `url`, where PORT is that of an upstream on this machine."""

    async def run() -> tuple[Response, Upstream]:
        async with upstream(respond) as seen:

            def here(text: str) -> str:
                return text.replace("PORT", str(seen.port))

            sender = HttpSender(
                new_client(),
                allowed(*map(here, (url, *urls)), inside=tuple(map(here, inside)), secrets=secrets),
                resolver=Names(names),
            )
            try:
                asked = replace(request_to(seen.port), url=f"{here(url)}/x?apikey={KEY}")
                return await sender.send(asked, 3.0), seen
            finally:
                await sender.aclose()

    return asyncio.run(run())


def test_a_public_name_that_leads_into_our_network_is_not_connected_to():
    response, seen = ask(
        saying(message()), {"api.example": [["127.0.0.1"]]}, "http://api.example:PORT"
    )
    assert response.no_answer is NoAnswer.NETWORK
    assert "api.example leads into a private network" in response.detail
    assert "allow_private_hosts" in response.detail
    assert seen.accepted == 0


def test_it_is_once_the_configuration_names_it_and_no_other_name_is():
    names = {"api.example": [["127.0.0.1"]], "db.example": [["127.0.0.1"]]}
    mine, other = "http://api.example:PORT", "http://db.example:PORT"
    response, seen = ask(saying(message()), names, mine, inside=(mine,))
    assert (response.status, seen.accepted) == (200, 1)
    response, seen = ask(saying(message()), names, other, inside=(mine,))
    assert (response.no_answer, seen.accepted) == (NoAnswer.NETWORK, 0)


def test_an_address_among_good_ones_is_left_out():
    names = Names({"api.example": [["8.8.8.8", "127.0.0.1", "::ffff:10.0.0.1"]]})
    guarded = GuardedResolver(names, allowed("http://api.example"))
    kept = asyncio.run(guarded.resolve("api.example", 80))
    assert [each["host"] for each in kept] == ["8.8.8.8"]


@pytest.mark.parametrize("address", INSIDE)
def test_no_form_of_an_inner_address_passes(address):
    guarded = GuardedResolver(Names({"a.example": [[address]]}), allowed("http://a.example"))
    with pytest.raises(InsideError):
        asyncio.run(guarded.resolve("a.example", 80))


def test_a_name_that_changes_between_two_looks_is_looked_at_each_time():
    """Rebinding: a good address for whoever checks, another for whoever connects."""
    turns = [["8.8.8.8"], ["127.0.0.1"], ["8.8.4.4"], ["169.254.169.254"]]
    guarded = GuardedResolver(Names({"a.example": turns}), allowed("http://a.example"))

    async def look() -> list[str]:
        try:
            return [each["host"] for each in await guarded.resolve("a.example", 80)]
        except InsideError:
            return []

    seen = [asyncio.run(look()) for _ in turns]
    assert seen == [["8.8.8.8"], [], ["8.8.4.4"], []]


def test_a_redirect_to_a_catalogued_name_that_leads_inside_ends_there():
    names = {"api.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}

    async def respond(head, writer):
        port = head.lower().split("host: api.example:")[1].split("\r\n")[0]
        writer.write(redirect(f"http://other.example:{port}/y"))

    mine, other = "http://api.example:PORT", "http://other.example:PORT"
    response, seen = ask(respond, names, mine, other, inside=(mine,))
    assert response.no_answer is NoAnswer.NETWORK
    assert (seen.accepted, len(seen.heads)) == (1, 1)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://localhost:PORT/",
        "http://127.0.0.1:PORT/",
        "http://2130706433:PORT/",
        "http://0x7f.1:PORT/",
        "http://127.1:PORT/",
        "//127.0.0.1:PORT/",
        "\\\\127.0.0.1:PORT/",
        "http:\\\\127.0.0.1:PORT\\",
        "http://api.example@127.0.0.1:PORT/",
        "http://user:pw@api.example:PORT/",
        "http://api.example:PORT@127.0.0.1:PORT/",
        "http://api.example:1/",
        "http://api.example.evil.example:PORT/",
        "https://api.example:PORT/",
        "ftp://api.example:PORT/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:PORT/_x",
    ],
)
def test_a_redirect_leads_nowhere_but_to_the_catalog(location):
    async def respond(head, writer):
        port = head.lower().split("host: api.example:")[1].split("\r\n")[0]
        writer.write(redirect(location.replace("PORT", port)))

    names = {"api.example": [["127.0.0.1"]]}
    mine = "http://api.example:PORT"
    response, seen = ask(respond, names, mine, inside=(mine,))
    # Backslashes make it a path of the same host, which is the catalog's.
    assert {head.split("\r\n")[1] for head in seen.heads} == {f"Host: api.example:{seen.port}"}
    if "\\" not in location:
        assert len(seen.heads) == 1
        assert response.status == 302 or response.no_answer is not None


def test_a_redirect_never_goes_from_https_to_http():
    known = allowed("https://api.example", "http://old.example")
    assert not known.admits("http", "api.example", 80)
    assert not known.admits("http", "api.example", 443)
    assert known.admits("https", "old.example", 443)
    assert not known.admits("https", "old.example", 80)


def test_a_redirect_does_not_take_a_key_of_ours_to_another_origin():
    """Whoever writes `Location` may repeat the key that it was sent."""
    names = {"api.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    mine, other = "http://api.example:PORT", "http://other.example:PORT"

    async def respond(head, writer):
        line, host = head.split("\r\n")[:2]
        port = host.rpartition(":")[2]
        writer.write(redirect(f"http://other.example:{port}/?{line.split('?')[1].split(' ')[0]}"))

    response, seen = ask(respond, names, mine, other, inside=(mine, other), secrets=(KEY,))
    assert (response.status, len(seen.heads)) == (302, 1)


def test_another_origin_is_sent_no_header_in_which_a_key_may_stand():
    async def run() -> list[str]:
        async with upstream(saying(message())) as other:
            there = saying(redirect(f"http://{other.host}/"))
            async with upstream(there) as first:
                urls = [f"http://{each.host}" for each in (first, other)]
                sender = HttpSender(new_client(), allowed(*urls, inside=tuple(urls)))
                keys = {"X-Api-Key": KEY, "Cookie": f"crumb={KEY}", "User-Agent": "ours"}
                asked = replace(request_to(first.port), headers=keys)
                assert (await sender.send(asked, 3.0)).status == 200
                await sender.aclose()
                assert KEY in first.heads[0]
                return other.heads

    (head,) = asyncio.run(run())
    assert KEY not in head
    assert "User-Agent: ours" in head


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:PORT",
        "http://api.example:PORT@127.0.0.1:PORT",
        "http://unknown.example:PORT",
    ],
)
def test_a_call_of_our_own_goes_to_the_catalog_too(url):
    """Also where a provider's code put an address together wrongly."""

    async def run() -> tuple[Response, Upstream]:
        async with upstream(saying(message())) as seen:
            mine = f"http://api.example:{seen.port}"
            names = Names({"unknown.example": [["127.0.0.1"]]})
            sender = HttpSender(new_client(), allowed(mine, inside=(mine,)), resolver=names)
            asked = replace(request_to(seen.port), url=url.replace("PORT", str(seen.port)))
            try:
                return await sender.send(asked, 3.0), seen
            finally:
                await sender.aclose()

    response, seen = asyncio.run(run())
    assert (response.no_answer, seen.accepted) == (NoAnswer.NETWORK, 0)
    assert "no host of the catalogue" in response.detail


def test_nobody_inside_is_reached_unless_the_configuration_names_him():
    async def run() -> list[bool]:
        async with upstream(saying(message())) as seen:
            named = allowed(inside=(f"http://localhost:{seen.port}",))
            return [
                await Reach(allowed())("localhost", seen.port),
                await Reach(allowed())("127.0.0.1", seen.port),
                await Reach(named)("127.0.0.1", seen.port),
                await Reach(named)("localhost", seen.port),
            ]

    assert asyncio.run(run()) == [False, False, False, True]


def test_every_inner_address_of_these_tests_is_one():
    for each in INSIDE:
        assert not allowed().admits_address("a", 80, ipaddress.ip_address(each.partition("%")[0]))
