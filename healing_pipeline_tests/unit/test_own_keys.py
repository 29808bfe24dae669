"""No key of ours is left in what an upstream sent, however it is written; and data stays data."""

from __future__ import annotations

import html
import json
import string
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.probing.own_keys import MOST_DECODED, SHORTEST, OwnKeys
from healing_pipeline.probing.response import NoAnswer, Response

keys = st.text(string.ascii_letters + string.digits + "_-/+.=&%\"'<", min_size=9, max_size=40)
around = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
WRITTEN = {
    "as it is": lambda key: key,
    "upper": str.upper,
    "lower": str.lower,
    "quoted": lambda key: quote(key, safe=""),
    "quoted twice": lambda key: quote(quote(key, safe=""), safe=""),
    "as a form": quote_plus,
    "quoted whole": lambda key: "".join(f"%{each:02X}" for each in key.encode()),
    "quoted low": lambda key: "".join(f"%{each:02x}" for each in key.encode()),
    "in JSON": lambda key: json.dumps(key)[1:-1],
    "in JSON, slashes too": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "in JSON, whole": lambda key: "".join(f"\\u{each:04x}" for each in key.encode()),
    "in HTML": html.escape,
    "in HTML, whole": lambda key: "".join(f"&#{each};" for each in key.encode()),
    "in HTML, hex": lambda key: "".join(f"&#x{each:X};" for each in key.encode()),
    "in hex": lambda key: key.encode().hex(),
    "every other": lambda key: "".join(
        f"%{each:02x}" if place % 2 else chr(each) for place, each in enumerate(key.encode())
    ),
}


def undone(text: str) -> set[str]:
    """What comes of a text when a reader undoes what was done to it, twice."""
    import re
    from urllib.parse import unquote, unquote_plus

    found = {text}
    for _ in range(2):
        found |= {
            form
            for each in found
            for form in (
                unquote(each),
                unquote_plus(each),
                html.unescape(each),
                re.sub(r"\\u00([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), each).replace(
                    "\\/", "/"
                ),
            )
        }
    return {each.lower() for each in found}


@pytest.mark.parametrize("way", WRITTEN)
@settings(max_examples=20)
@given(key=keys, before=around, after=around)
def test_no_way_to_write_a_key_leaves_it_readable(way, key, before, after):
    written = WRITTEN[way](key)
    if key.isdigit():
        return
    body = f"{before} {written} {after}".encode()
    struck = OwnKeys([key]).struck(body)
    assert len(struck) == len(body)
    left = undone(struck.decode("utf-8", "replace"))
    assert not any(key.lower() in each for each in left)
    assert written.lower() not in struck.decode("utf-8", "replace").lower()


@settings(max_examples=50)
@given(key=keys, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_no_base64_of_a_longer_text_holds_it(key, before, after):
    if key.isdigit():
        return
    for encode in (b64encode, urlsafe_b64encode):
        body = b"Authorization: Basic " + encode(before + key.encode() + after)
        struck = OwnKeys([key]).struck(body)
        # The core is gone: what is left of it decodes to at most a character at each end.
        assert struck.count(b"*") >= len(key)


@settings(max_examples=50)
@given(body=st.binary(max_size=200), key=keys)
def test_what_holds_no_key_stays_the_very_same(body, key):
    from urllib.parse import unquote_to_bytes

    if key.lower().encode() in unquote_to_bytes(body).lower() or len(key) < SHORTEST:
        return
    assert OwnKeys([f"{key}-canary-0123456789"]).struck(body) is body


@pytest.mark.parametrize("word", ["demo", "free", "20260302", "1234567890", ""])
def test_what_may_be_a_word_or_a_number_of_the_data_changes_none(word):
    own = OwnKeys([word])
    assert not own
    body = f'{{"close": {word or 1}, "name": "{word}"}}'.encode()
    assert own.struck(body) is body


def test_headers_and_what_went_wrong_are_struck_too():
    key = "Canary-0123456789"
    own = OwnKeys([key, "spare-canary-77"])
    seen = own.without(
        Response(
            status=302,
            headers={"location": f"/x?k={quote(key)}", "set-cookie": f"k={key.upper()}", "a": "b"},
            body=b'{"Note": "SPARE-canary-77"}',
        )
    )
    assert seen.headers["a"] == "b"
    assert "canary" not in f"{dict(seen.headers)} {seen.body!r}".lower()
    lost = Response(no_answer=NoAnswer.NETWORK, detail=f"no way to http://x/{key}/latest")
    assert key not in own.without(lost).detail
    good = Response(status=200, headers={"a": "b"}, body=b"{}")
    assert own.without(good) is good


def test_a_long_body_is_searched_for_the_usual_forms_and_no_further():
    key = "Canary-0123456789"
    long = b'"%\\u00 &#' + b"x" * MOST_DECODED
    for way, written in WRITTEN.items():
        if way not in {"quoted twice", "every other"}:
            struck = OwnKeys([key]).struck(long + written(key).encode())
            assert written(key).lower().encode() not in struck.lower(), way
    mixed = b"%43" + key[1:].encode()
    assert OwnKeys([key]).struck(mixed) == b"*" * len(mixed)
