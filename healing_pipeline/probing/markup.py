"""HTML pages and XML documents: what they are about, without building a tree of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.wording import says_service_ended

_PAGE_CHARS = 8000
_TITLE = re.compile(r"<(title|h1|h2)\b[^>]{0,200}>\s*([^<]{1,200})", re.IGNORECASE)
_CODE = re.compile(r"<(?:script|style)\b.{0,4000}?</(?:script|style)>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]{0,1000}>")

_BOT = r"captcha|robot|unusual traffic|attention required|just a moment|access denied|blocked"
_NUMBER = r"(?:^|/ |error |status |http |- )"
"""What stands before a status code in a title; the 500 of "S&P 500" is none."""
_LIMITED = r"too many requests|rate limit|unable to process request at this time"
_LIMITED += rf"|{_NUMBER}(?:429|999)\b"
_BROKEN = rf"{_NUMBER}5\d\d\b|bad gateway|gateway time-?out|service unavailable|application error"
_BROKEN += r"|internal server error|server error"
_LOUD = tuple(
    (failure_class, re.compile(pattern, re.IGNORECASE))
    for failure_class, pattern in (
        (FailureClass.RATE_LIMIT, _LIMITED),
        (FailureClass.BOT_BLOCK, _BOT),
        (FailureClass.SERVER_ERROR, _BROKEN),
    )
)
_QUIET = tuple(
    (failure_class, re.compile(pattern, re.IGNORECASE))
    for failure_class, pattern in (
        (FailureClass.NOT_FOUND, rf"{_NUMBER}404\b|not found"),
        (FailureClass.BOT_BLOCK, rf"{_NUMBER}403\b|forbidden"),
        (FailureClass.AUTH_ERROR, rf"{_NUMBER}401\b|unauthori[sz]ed"),
        (FailureClass.BAD_REQUEST, rf"{_NUMBER}400\b|bad request"),
    )
)


def page_title(text: str) -> str:
    """Title and first headings of an HTML page; empty when it has none."""
    found = [match[2].strip() for match in _TITLE.finditer(text[:_PAGE_CHARS])]
    return " / ".join(dict.fromkeys(each for each in found[:3] if each))


def page_words(text: str) -> str:
    """The words of the beginning of a page, without its code."""
    return " ".join(_TAG.sub(" ", _CODE.sub(" ", text[:_PAGE_CHARS])).split())


def page_meaning(text: str, *, status_known: bool) -> FailureClass | None:
    """What an HTML page is about; None for a page that names no failure.

    With a known status only what is louder than the status counts; without one, "404" in the
    title is all there is to go by.
    """
    title = page_title(text) or page_words(text)[:200]
    for failure_class, pattern in _LOUD if status_known else _LOUD + _QUIET:
        if pattern.search(title):
            return failure_class
    return FailureClass.SERVER_ERROR if says_service_ended(page_words(text)) else None


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """The outline of an XML document.

    Attributes
    ----------
    root : str
        Name of the root element, without its prefix.
    attributes : Mapping[str, str]
        Of the root.
    children : int
        Elements directly under the root.
    values : int
        Elements anywhere whose `value` attribute, or whose text, holds something; FRED's mark of
        a missing value, ``"."``, is not something.
    text : str
        The beginning of the text between the tags.
    """

    root: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: int = 0
    values: int = 0
    text: str = ""


class _Outline:
    """Collects an `XmlDocument` while expat reads."""

    def __init__(self) -> None:
        self.root = ""
        self.attributes: dict[str, str] = {}
        self.depth = self.children = self.values = 0
        self.text = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if self.depth == 0:
            self.root, self.attributes = name.rpartition(":")[2], attributes
        elif self.depth == 1:
            self.children += 1
        self.depth += 1
        self.values += attributes.get("value", ".").strip() not in {"", "."}

    def end(self, _name: str) -> None:
        self.depth -= 1

    def say(self, text: str) -> None:
        if text.strip():
            self.values += 1
            self.text = f"{self.text} {text.strip()}"[:500]

    def refuse(self, *_: object) -> None:
        # Entities are declared in a document type; no provider has one, and they can explode.
        raise expat.ExpatError("document type")


def read_xml(text: str) -> XmlDocument | None:
    """Outline of a well-formed document; None when it is truncated or otherwise broken."""
    outline = _Outline()
    parser = expat.ParserCreate()
    parser.StartElementHandler = outline.begin
    parser.EndElementHandler = outline.end
    parser.CharacterDataHandler = outline.say
    parser.StartDoctypeDeclHandler = outline.refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError):
        return None
    return XmlDocument(
        outline.root, outline.attributes, outline.children, outline.values, outline.text
    )
