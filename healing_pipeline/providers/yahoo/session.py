"""Yahoo's session: a crumb, and the cookie it was made for.

Notes
-----
Yahoo ties a crumb to a cookie (`A3`) that browsers get from ``fc.yahoo.com`` first. Our client
keeps no cookies and knows no such host, so a crumb that comes without ``Set-Cookie`` is sent
without one, and Yahoo may answer "Invalid Crumb" to it again. Where the answer does set cookies,
they are sent back with the crumb. Charts need no session; quotes sometimes do.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from healing_pipeline.catalog.values import Endpoint, Host
from healing_pipeline.probing.response import RequestLine, Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.urls import assembled
from healing_pipeline.providers.yahoo.classification import classify

_PATH = "/v1/test/getcrumb"
# A name and value at the start of a `Set-Cookie`, or after a comma where several were joined; the
# comma inside of a date is followed by no such pair. The octets are RFC 6265's.
_COOKIE = re.compile(
    r"(?:^|[,\n])\s*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})"
    r"=([!#-+\--:<-\[\]-~]{1,2048})(?=\s*(?:;|,|\n|$))"
)
_MOST_COOKIES = 8
# Neither a crumb nor a cookie can hold it.
_BETWEEN = "\n"


class CrumbSession:
    """How Yahoo hands out a crumb, and where it wants to see it again."""

    def ask(self, source: str, host: Host) -> UpstreamRequest:
        """The GET that is answered with a crumb as plain text."""
        return assembled(Endpoint(f"{source}/session", source, _PATH), host, _PATH, {})

    def token(self, response: Response) -> str | None:
        """The crumb and its cookies; None for a refusal, which comes as plain text too."""
        if not classify(response, RequestLine(_PATH)).is_ok:
            return None
        crumb = response.body.decode("ascii", "replace").strip()
        pairs = _COOKIE.findall(response.headers.get("set-cookie", ""))[:_MOST_COOKIES]
        cookies = "; ".join(f"{name}={value}" for name, value in pairs)
        return f"{crumb}{_BETWEEN}{cookies}" if cookies else crumb

    def applied(self, request: UpstreamRequest, token: str) -> UpstreamRequest:
        """The request with the crumb in its URL and the cookies in its headers.

        `line` stays as it is: a crumb is a secret.
        """
        crumb, _, cookies = token.partition(_BETWEEN)
        address = urlsplit(request.url)
        asked = [each for each in parse_qsl(address.query, True) if each[0] != "crumb"]
        query = urlencode([*asked, ("crumb", crumb)], quote_via=quote, safe=",")
        headers = {**request.headers, "Cookie": cookies} if cookies else request.headers
        return replace(request, url=urlunsplit(address._replace(query=query)), headers=headers)


SESSION = CrumbSession()
