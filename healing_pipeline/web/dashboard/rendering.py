"""Templates and assets: how a value is written on a page, and under which address a file is found.

Everything is escaped unless a template says otherwise, and none has reason to.
"""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

AT = "/health-dashboard"
ASSETS_AT = f"{AT}/assets/"
THEMES = ("light", "dark")
THEME_COOKIE = "healing_theme"
WORTH_PACKING = 1_000
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
NONE = "—"
_YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that never changes under its address, which holds a hash of it."""

    name: str
    media_type: str
    content: bytes
    packed: bytes
    address: str


@cache
def assets() -> Mapping[str, Asset]:
    """By the name in `assets/`."""
    found = {}
    for file in files("healing_pipeline.web.dashboard").joinpath("assets").iterdir():
        stem, _, suffix = file.name.rpartition(".")
        if suffix not in _TYPES:
            continue
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        address = f"{ASSETS_AT}{stem}.{digest}.{suffix}"
        packed = gzip.compress(content, 9, mtime=0)
        found[file.name] = Asset(file.name, _TYPES[suffix], content, packed, address)
    return found


@cache
def sheet() -> Markup:
    """The style sheet as the text of an element; its own file, which is no text of anybody's."""
    text = assets()["dashboard.css"].content.decode()
    assert "<" not in text, "it would end the element"
    return Markup(text)  # noqa: S704  # nosec B704


@cache
def sheet_hash() -> str:
    """By which a policy lets that element in and no other."""
    return b64encode(hashlib.sha256(sheet().encode()).digest()).decode()


def asset_response(request: Request) -> Response:
    """The asset at the request's path; 404 when its content is another by now."""
    by_address = {each.address: each for each in assets().values()}
    asset = by_address.get(request.scope["path"])
    if asset is None:
        return Response(status_code=404)
    headers = {
        "cache-control": f"public, max-age={_YEAR_S}, immutable",
        "etag": f'"{asset.address.rsplit(".", 2)[1]}"',
        "vary": "accept-encoding",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if takes_gzip(request):
        headers["content-encoding"] = "gzip"
        return Response(asset.packed, headers=headers, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@cache
def environment() -> Environment:
    """The templates, with filters for how times and numbers are written."""
    made = Environment(
        loader=PackageLoader("healing_pipeline.web.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "moment": moment,
        "clock": clock,
        "share": share,
        "seconds": seconds,
        "lasted": lasted,
        "segment": segment,
    }
    made.globals |= {"asset": lambda name: assets()[name].address, "at": AT, "sheet": sheet}
    return made


def rendered(template: str, values: Mapping[str, Any], theme: str | None = None) -> str:
    """A page as text. What every page needs and `values` does not hold has a default."""
    defaults: dict[str, Any] = {"banner": None, "here": "", "theme": theme, "is_live": True}
    return environment().get_template(template).render({**defaults, **values})


def page_response(request: Request, text: str, status: int = 200) -> Response:
    """A page as a response, packed where the browser takes that."""
    return packed(request, text.encode(), "text/html; charset=utf-8", status)


def packed(request: Request, content: bytes, media_type: str, status: int = 200) -> Response:
    """What is made for one visitor at one moment, packed where the browser takes that."""
    headers = {"cache-control": "no-store", "vary": "accept-encoding, cookie"}
    if len(content) >= WORTH_PACKING and takes_gzip(request):
        content = gzip.compress(content, 5, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(content, status, headers=headers, media_type=media_type)


def theme_of(request: Request) -> str | None:
    """The theme that the visitor chose; None leaves it to the browser."""
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else None


def takes_gzip(request: Request) -> bool:
    """Whether the browser reads gzip."""
    accepted = request.headers.get("accept-encoding", "").split(",")
    return any(each.split(";")[0].strip() == "gzip" and "q=0" not in each for each in accepted)


def moment(at: datetime | None) -> str:
    """``2026-03-02 15:04:05``, UTC; a dash for none."""
    return NONE if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def clock(at: datetime | None) -> str:
    """``15:04:05``, UTC; a dash for none."""
    return NONE if at is None else f"{at.astimezone(UTC):%H:%M:%S}"


def share(value: float | None) -> str:
    """``99.3 %``; never rounded to all or nothing; a dash where nothing was counted."""
    if value is None:
        return NONE
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.3g} %" if value < 0.9995 else "100 %"


def seconds(value: float | None) -> str:
    """``12 ms``, ``1.4 s``; a dash for none."""
    if value is None:
        return NONE
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def lasted(value: float | None) -> str:
    """``4 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``; a dash for none."""
    if value is None:
        return NONE
    whole = max(0, round(value))
    if whole < 60:
        return f"{value:.1f} s" if value < 10 else f"{whole} s"
    for unit, name, below, part in (
        (60, "min", 1, "s"),
        (3_600, "h", 60, "min"),
        (86_400, "d", 3_600, "h"),
    ):
        if whole < unit * (60 if unit < 3_600 else 24) or unit == 86_400:
            rest = whole % unit // below
            return f"{whole // unit} {name}" + (f" {rest} {part}" if rest else "")
    raise AssertionError("days have no end")


def segment(text: object) -> str:
    """A text as part of a path."""
    return quote(str(text), safe="")
