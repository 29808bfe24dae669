"""Which of the forms that there are a client likes best: `Accept`, RFC 9110, section 12.5.1.

No library among ours reads it: Starlette leaves it to the application.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# An element of a list: commas and semicolons within quotes part nothing.
_ELEMENT = re.compile(rf'(?:{_QUOTED}|[^",])+')
_PARAMETER = re.compile(rf";[ \t]*(?:({_WORD})=({_WORD}|{_QUOTED}))?[ \t]*")
_RANGE = re.compile(rf"[ \t]*({_WORD})/({_WORD})[ \t]*")
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

# Quotes that never end are searched again from each of them.
_MOST_CHARACTERS = 2_000

# All that we send is UTF-8; whoever says so asks for nothing special.
_NO_MATTER = {("charset", "utf-8"), ("charset", "utf8"), ("charset", "*")}


@dataclass(frozen=True, slots=True)
class MediaRange:
    """What a client takes.

    Attributes
    ----------
    type, subtype : str
        In small letters; ``*`` is any.
    quality : float
        From 0, not at all, to 1.
    parameters : Mapping[str, str]
        What the media type must say besides.
    """

    type: str
    subtype: str
    quality: float = 1.0
    parameters: Mapping[str, str] = field(default_factory=dict)

    def precision(self, media_type: str) -> int | None:
        """How closely it names a media type without parameters; None where it does not."""
        kind, _, subtype = media_type.partition("/")
        if self.parameters or self.type not in ("*", kind) or self.subtype not in ("*", subtype):
            return None
        return (self.type != "*") + (self.subtype != "*")


def ranges_of(header: str) -> list[MediaRange]:
    """The ranges of an `Accept` header; what is none is left out."""
    elements = _ELEMENT.findall(header[:_MOST_CHARACTERS])
    return [found for each in elements if (found := _range_of(each)) is not None]


def liked_best(header: str | None, offers: Sequence[str]) -> str | None:
    """The media type that a client likes best of `offers`; None when it takes none of them.

    Parameters
    ----------
    header : str or None
        None and nothing but blanks: the client takes anything.
    offers : sequence of str
        Media types without parameters; the first is for those who take anything.

    Notes
    -----
    Of types that are liked equally the one that is named wins over one that ``*`` stands for, and
    then the earlier offer: the RFC leaves that choice to the server.
    """
    if header is None or not header.strip():
        return offers[0]
    ranges = ranges_of(header)
    best: tuple[float, int] = (0.0, 0)
    liked = None
    for offer in offers:
        named = [
            (precision, each.quality)
            for each in ranges
            if (precision := each.precision(offer)) is not None
        ]
        if not named:
            continue
        # What is said of the type itself outweighs what is said of all.
        precision, quality = max(named)
        if quality > 0 and (quality, precision) > best:
            best, liked = (quality, precision), offer
    return liked


def _range_of(element: str) -> MediaRange | None:
    match = _RANGE.match(element)
    if match is None or (match[1] == "*" and match[2] != "*"):
        return None
    quality, parameters, at = 1.0, {}, match.end()
    while at < len(element):
        given = _PARAMETER.match(element, at)
        if given is None:
            return None
        at = given.end()
        if given[1] is None:
            continue
        name, value = given[1].lower(), given[2].strip('"').lower()
        if name == "q":
            if _WEIGHT.fullmatch(value) is None:
                return None
            quality = float(value)
        elif (name, value) not in _NO_MATTER:
            parameters[name] = value
    return MediaRange(match[1].lower(), match[2].lower(), quality, parameters)
