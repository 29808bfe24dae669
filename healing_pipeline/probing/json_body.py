"""Questions that can be asked of any API's JSON: does it state an error, does it hold anything."""

from __future__ import annotations

import math

_ERROR_KEYS = frozenset(
    {
        "error",
        "errors",
        "errormessage",
        "errormsg",
        "errorcode",
        "errortype",
        "errorinfo",
        "errordescription",
        "fault",
        "exception",
    }
)
_BAD_STATUS = frozenset(
    {
        "error",
        "err",
        "fail",
        "failed",
        "failure",
        "notauthorized",
        "unauthorized",
        "notentitled",
        "forbidden",
        "notfound",
        "badrequest",
        "autherror",
        "autherr",
        "authfailed",
        "ratelimited",
        "toomanyrequests",
    }
)
_STATUS_KEYS = frozenset({"status", "result", "state"})
_CODE_KEYS = frozenset({"status", "statuscode", "code", "httpstatus", "httpcode", "errorcode"})
_MESSAGE_KEYS = frozenset(
    {"message", "msg", "detail", "details", "reason", "title", "info", "information", "note"}
)
_LIST_NAMES = frozenset(
    {"result", "results", "data", "items", "records", "rows", "values", "series", "rates"}
)
_COUNT_NAMES = frozenset({"count", "total", "totalresults", "resultscount", "totalcount"})
_TALK_KEYS = _MESSAGE_KEYS | {
    "link",
    "description",
    "documentation",
    "timestamp",
    "path",
    "requestid",
    "status",
    "statuscode",
    "code",
    "type",
    "instance",
    "traceid",
    "docs",
    "url",
    "termsofuse",
    "success",
    "ok",
}
_SPOKEN = (
    "code",
    "type",
    "error-type",
    "error_type",
    "error_code",
    "error_message",
    "title",
    "message",
    "msg",
    "info",
    "Information",
    "Note",
    "description",
    "detail",
    "reason",
    "extra-info",
)
_DEEPEST = 4
"""Error texts stand no deeper in their envelope than this."""


def plain_key(key: str) -> str:
    """A key without the differences in spelling: ``terms-of-use`` and ``terms_of_use`` agree."""
    return "".join(c for c in key.lower() if c.isalnum())


def spoken(value: object, depth: int = 0) -> str:
    """The words in an error value: a string itself, the telling members of an object or list."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, bool) or value is None or depth > _DEEPEST:
        return ""
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) or abs(value) < 10**9 else ""
    if isinstance(value, dict):
        parts = [spoken(value[key], depth + 1) for key in _SPOKEN if key in value]
        if not any(parts):
            parts = [spoken(each, depth + 1) for each in list(value.values())[:5]]
        return " ".join(part for part in parts if part)
    if isinstance(value, list):
        return " ".join(part for part in (spoken(each, depth + 1) for each in value[:5]) if part)
    return ""


def stated_error(value: object) -> str | None:
    """What a JSON answer says went wrong, by the keys APIs use for that; None when it says nothing.

    A text is never empty: an answer that fails without a word is quoted by its key.
    """
    marked = marked_error(value)
    if marked is not None:
        return marked
    value = _without_wrapping(value)
    if not isinstance(value, dict):
        return None
    members = {plain_key(key): each for key, each in value.items()}
    if _MESSAGE_KEYS & members.keys():
        codes = [members[key] for key in _CODE_KEYS & members.keys()]
        if any(_is_error_code(code) for code in codes) or members.keys() <= _TALK_KEYS:
            return _sentence([spoken(value)], "a message and no data")
    return None


def marked_error(value: object) -> str | None:
    """`stated_error`, where it is marked as one: a message that comes alone is not."""
    value = _without_wrapping(value)
    if not isinstance(value, dict):
        return None
    members = {plain_key(key): each for key, each in value.items()}
    wrong = [key for key in _ERROR_KEYS & members.keys() if not _is_nothing(members[key])]
    if wrong:
        texts = [spoken(members[key]) for key in sorted(wrong)]
        rest = spoken({key: each for key, each in value.items() if plain_key(key) not in wrong})
        return _sentence([*texts, rest], f"a value under {wrong[0]!r}")
    if "success" in members and _is_denial(members["success"]):
        return _sentence([spoken(value)], "success is false")
    for key in _STATUS_KEYS & members.keys():
        state = members[key]
        if isinstance(state, str) and plain_key(state) in _BAD_STATUS:
            return _sentence([state, spoken(value)], f"{key} is {state}")
    return None


def _without_wrapping(value: object) -> object:
    """What an answer says: the one entry of a list, the one member that holds an error."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and len(value) == 1:
        (inner,) = value.values()
        if isinstance(inner, dict) and inner.get("error"):
            return inner  # {"chart": {"result": null, "error": {...}}}
    return value


def stated_code(value: object) -> int | None:
    """The HTTP-like code an error answer states in its body, 400 to 599."""
    if not isinstance(value, dict):
        return None
    for key, each in value.items():
        if plain_key(key) in _CODE_KEYS and _is_error_code(each):
            return int(each)
    return None


def _is_denial(value: object) -> bool:
    if isinstance(value, str):
        return plain_key(value) in {"false", "0", "no"}
    return isinstance(value, int) and not value


def _sentence(parts: list[str], otherwise: str) -> str:
    return " ".join(dict.fromkeys(part for part in parts if part)) or otherwise


def _is_error_code(value: object) -> bool:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600


def _is_nothing(value: object) -> bool:
    """Whether an error member says that there was none."""
    if isinstance(value, str):
        return plain_key(value) in {"", "0", "null", "none", "false", "no", "ok", "success", "200"}
    if isinstance(value, int | float):
        return not value or value == 200
    return not value


def is_hollow(value: object) -> bool:
    """Whether a value holds no string, number or truth value at any depth."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
        elif each is not None and each != "":
            return False
    return True


def is_empty_list_answer(value: object) -> bool:
    """Whether an answer is the frame of a list without an entry: a count of 0, ``results: []``."""
    if not isinstance(value, dict):
        return False
    members = {plain_key(key): each for key, each in value.items()}
    containers = {key: each for key, each in members.items() if isinstance(each, dict | list)}
    if not all(is_hollow(each) for each in containers.values()):
        return False
    counts_none = any(members[key] == 0 for key in _COUNT_NAMES & members.keys())
    return counts_none or bool(_LIST_NAMES & containers.keys())


def holds_number(value: object) -> bool:
    """Whether a value holds a finite number at any depth."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
        elif is_number(each):
            return True
    return False


def is_number(value: object) -> bool:
    """Whether a member is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_numeric(value: object) -> bool:
    """Whether a member is a finite number or a string that spells one."""
    if isinstance(value, str) and len(value) < 64:
        try:
            return math.isfinite(float(value))
        except ValueError:
            return False
    return is_number(value)
