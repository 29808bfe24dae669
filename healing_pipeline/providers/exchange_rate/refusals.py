"""How the exchange rate APIs refuse: their documented codes and words.

ExchangeRate-API has `error-type`; the apilayer family has ``error: {code, type, info}``, the code a
number or, in its marketplace, a word; Open Exchange Rates has ``error: true`` with `message` as
the word. All three families of words are one table, since none contradicts another.
"""

from __future__ import annotations

from healing_pipeline.probing.classification import Finding
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import plain_key, spoken, stated_error
from healing_pipeline.probing.wording import limit_of, meaning_of

_WORDS = {
    # ExchangeRate-API, `error-type`
    "quotareached": FailureClass.QUOTA_EXHAUSTED,
    "unsupportedcode": FailureClass.NOT_FOUND,
    "unknowncode": FailureClass.NOT_FOUND,
    "malformedrequest": FailureClass.BAD_REQUEST,
    "invalidkey": FailureClass.AUTH_ERROR,
    "missingkey": FailureClass.AUTH_ERROR,
    "inactiveaccount": FailureClass.AUTH_ERROR,
    "planupgraderequired": FailureClass.PLAN_LIMIT,
    "nodataavailable": FailureClass.EMPTY,
    # apilayer, `type` or `code`
    "invalidaccesskey": FailureClass.AUTH_ERROR,
    "missingaccesskey": FailureClass.AUTH_ERROR,
    "inactiveuser": FailureClass.AUTH_ERROR,
    "userinactive": FailureClass.AUTH_ERROR,
    "invalidapifunction": FailureClass.BAD_REQUEST,
    "usagelimitreached": FailureClass.QUOTA_EXHAUSTED,
    "monthlyusagelimitreached": FailureClass.QUOTA_EXHAUSTED,
    "monthlylimitreached": FailureClass.QUOTA_EXHAUSTED,
    "ratelimitreached": FailureClass.RATE_LIMIT,
    "functionaccessrestricted": FailureClass.PLAN_LIMIT,
    "httpsaccessrestricted": FailureClass.PLAN_LIMIT,
    "basecurrencyaccessrestricted": FailureClass.PLAN_LIMIT,
    "sourceaccessrestricted": FailureClass.PLAN_LIMIT,
    "noratesavailable": FailureClass.EMPTY,
    "noresults": FailureClass.EMPTY,
    "404notfound": FailureClass.NOT_FOUND,
    # Open Exchange Rates, `message`
    "invalidappid": FailureClass.AUTH_ERROR,
    "missingappid": FailureClass.AUTH_ERROR,
    "appidinactive": FailureClass.AUTH_ERROR,
    "inactiveappid": FailureClass.AUTH_ERROR,
    "notallowed": FailureClass.PLAN_LIMIT,
    "accessrestricted": FailureClass.QUOTA_EXHAUSTED,
    "toomanyrequests": FailureClass.RATE_LIMIT,
    "notavailable": FailureClass.BAD_REQUEST,
    "notfound": FailureClass.NOT_FOUND,
}
_NUMBERS = {
    101: FailureClass.AUTH_ERROR,
    102: FailureClass.AUTH_ERROR,
    103: FailureClass.BAD_REQUEST,
    104: FailureClass.QUOTA_EXHAUSTED,
    105: FailureClass.PLAN_LIMIT,
    106: FailureClass.EMPTY,
    404: FailureClass.NOT_FOUND,
    429: FailureClass.RATE_LIMIT,
}
"""apilayer's `code`; 2xx to 6xx (currencies, dates, amounts, time frames) are the caller's."""

_WORD_KEYS = frozenset({"errortype", "code", "type", "message"})


def refusal_of(value: object) -> Finding | None:
    """The refusal in an answer, or None when it states none."""
    if not isinstance(value, dict):
        return None
    notice = _notice(value)
    said = notice or stated_error(value)
    if said is None:
        return None
    error = value.get("error")
    inner = error if isinstance(error, dict) else value
    return Finding(_class_of(inner, value, said), f"says {said!r}")


def _class_of(
    error: dict[str, object], answer: dict[str, object], said: str
) -> FailureClass | None:
    words = {plain_key(each) for each in _values(error) + _values(answer) if isinstance(each, str)}
    code = _number(error.get("code"))
    if "accessrestricted" in words or "toomanyrequests" in words:
        # Open Exchange Rates: the description tells a ban until some day from a moment's hurry.
        return limit_of(said) or FailureClass.QUOTA_EXHAUSTED
    by_word = next((_WORDS[word] for word in sorted(words) if word in _WORDS), None)
    if by_word is not None:
        return by_word
    if any(word.endswith("accessrestricted") for word in words):
        return FailureClass.PLAN_LIMIT
    limit = limit_of(said)
    if limit is not None:
        return limit
    if "invalid currency:" in said.lower():  # Frankfurter, of a code it does not carry
        return FailureClass.NOT_FOUND
    if any(word.startswith(("invalid", "missing", "no")) and " " not in word for word in words):
        by_shape = meaning_of(said) if code is None else _NUMBERS.get(code)
        return by_shape or FailureClass.BAD_REQUEST
    if code is not None and 100 < code < 700:
        return _NUMBERS.get(code, FailureClass.BAD_REQUEST)
    if error is answer and answer.keys() <= {"success", "motd", "terms", "privacy", "timestamp"}:
        return FailureClass.BAD_REQUEST  # fails without a word
    # Words that nobody knows are not taken for the caller's fault, which nobody would heal.
    return meaning_of(said)


def _values(members: dict[str, object]) -> list[object]:
    return [each for key, each in members.items() if plain_key(key) in _WORD_KEYS]


def _number(code: object) -> int | None:
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _notice(value: dict[str, object]) -> str | None:
    """The banner of a service that was shut down: numbered lines of text and nothing else."""
    if not value or not all(key.isdigit() and isinstance(value[key], str) for key in value):
        return None
    return " ".join(spoken(line).strip("# ") for line in value.values()).strip() or "a banner"
