"""Bodies that are no API's own: what proxies, edges and firewalls in front of one say."""

from __future__ import annotations

from healing_pipeline.simulator.noise import seed_of, unit
from healing_pipeline.simulator.upstreams.contract import HTML, JSON, Answer, text_answer


def gateway(status: int, reason: str, server: str = "nginx/1.19.2") -> Answer:
    """The page of an nginx whose backend is gone."""
    page = (
        f"<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {reason}</h1></center>\r\n<hr><center>{server}</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return text_answer(status, page, "text/html")


def challenge(site: str) -> Answer:
    """The page of a firewall that takes the caller for a robot."""
    page = (
        '<!DOCTYPE html><html lang="en-US"><head><title>Attention Required! | Cloudflare</title>'
        '<meta name="robots" content="noindex, nofollow"></head><body><div id="cf-wrapper">'
        f"<h1>Sorry, you have been blocked</h1><h2>You are unable to access {site}</h2>"
        "<p>This website is using a security service to protect itself from online attacks.</p>"
        "</div></body></html>"
    )
    return text_answer(403, page, HTML, {"server": "cloudflare"})


def access_denied(path: str) -> Answer:
    """The page of a content network's edge that refuses the caller."""
    page = (
        "<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n"
        f"You don't have permission to access {path} on this server.<P>\n"
        "Reference #18.5f3a1cb8.0\n</BODY>\n</HTML>\n"
    )
    return text_answer(403, page, "text/html", {"server": "AkamaiGHost"})


def maintenance(name: str) -> Answer:
    """A page for people, sent with status 200 where JSON was asked for."""
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title></head>'
        f"<body><h1>{name}</h1><p>We are down for maintenance. Will be right back.</p>"
        "</body></html>\n"
    )
    return text_answer(200, page, HTML)


def proxy_text() -> Answer:
    """A sidecar's error text that leaked out with status 200."""
    text = (
        "upstream connect error or disconnect/reset before headers. "
        "reset reason: connection termination"
    )
    return text_answer(200, text)


def unavailable(variant: int) -> Answer:
    """A 502 or a 503 of a proxy, in turn."""
    if variant % 2:
        return gateway(502, "Bad Gateway")
    return gateway(503, "Service Temporarily Unavailable")


def garbage(seed: int, variant: int) -> Answer:
    """Bytes of no meaning that claim to be JSON."""
    own = seed_of(seed, "garbage", variant)
    body = bytes(int(256 * unit(own, index)) for index in range(512))
    return Answer(200, {"content-type": JSON}, b"\x1f\xfe" + body)


def cut(answer: Answer) -> Answer:
    """The first half of a body as if it were all: good HTTP, broken content."""
    return Answer(answer.status, answer.headers, half(answer.body))


def half(body: bytes) -> bytes:
    """About half of a body; of lines, up to the middle of one, so that no row looks whole."""
    middle = max(1, len(body) // 2)
    line_at = body.rfind(b"\n", 0, middle)
    if body[:1] in (b"{", b"[", b"<") or line_at < 0:
        return body[:middle]
    return body[: line_at + 13]
