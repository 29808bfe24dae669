"""What a bad call is a symptom of, and how dear it is to believe in each kind of fault.

The prices are natural logarithms of odds, rounded: how much less likely one thing is than another
before anything was seen. They say what an engineer would bet on, and no catalog is in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from healing_pipeline.incidents.cause import PlaceKind, RootCause
from healing_pipeline.probing.classification import NO_NAME
from healing_pipeline.probing.failure_class import FailureClass


class Nature(StrEnum):
    """What kind of thing is wrong, wherever it sits."""

    DOWN = "down"
    NAME = "name"
    KEY = "key"
    QUOTA = "quota"
    PLAN = "plan"
    REQUEST = "request"
    DATA = "data"


class Symptom(StrEnum):
    """What a failure class leaves open, its evidence tells."""

    UNRESOLVED = "its name did not resolve"
    CUT = "an answer that was cut off"
    PAGE = "a page for people"
    FLOOD = "a body without end"
    FORBIDDEN = "a refusal that speaks of no key"


Sign = FailureClass | Symptom

# As `classification` begins the evidence of such a body; nothing a body says can bring it about.
_PAGE = re.compile(r"(HTTP \d+|status not recorded), [^:'\"]*: HTML page ")
_CUT = "no answer, protocol"
_FLOOD = "no answer, too_large"
# Who refuses a key names it, in whatever words; else it is not said that another one would do.
_NAMES_A_KEY = re.compile(
    r"key|token|crumb|credential|account|sign|log ?in|password", re.IGNORECASE
)


def sign_of(failure_class: FailureClass, evidence: str) -> Sign:
    """What a failure is a sign of."""
    if failure_class is FailureClass.NETWORK_ERROR:
        if evidence.startswith(NO_NAME):
            return Symptom.UNRESOLVED
        if evidence.startswith(_CUT):
            return Symptom.CUT
    if failure_class is FailureClass.INVALID_DATA:
        if _PAGE.match(evidence):
            return Symptom.PAGE
        if evidence.startswith(_FLOOD):
            return Symptom.FLOOD
    if failure_class is FailureClass.AUTH_ERROR and not _NAMES_A_KEY.search(evidence):
        return Symptom.FORBIDDEN
    return failure_class


_F, _S = FailureClass, Symptom

STRANGENESS: Mapping[Nature, Mapping[Sign, float]] = {
    # Who is down fails in many ways at once: some calls time out, others meet a proxy's error, a
    # page about maintenance or a body that ends early.
    Nature.DOWN: {
        _F.TIMEOUT: 0.0,
        _F.NETWORK_ERROR: 0.0,
        _F.SERVER_ERROR: 0.0,
        _F.SLOW: 0.0,
        _F.BOT_BLOCK: 0.0,
        _S.PAGE: 0.0,
        _S.CUT: 0.0,
        _S.UNRESOLVED: 1.0,
        _F.INVALID_DATA: 3.0,
        _F.RATE_LIMIT: 3.0,
        _F.EMPTY: 4.0,
        _S.FLOOD: 6.0,
    },
    Nature.NAME: {_S.UNRESOLVED: 0.0},
    Nature.KEY: {
        _F.AUTH_ERROR: 0.0,
        _S.FORBIDDEN: 1.5,
        _F.PLAN_LIMIT: 3.0,
        _F.QUOTA_EXHAUSTED: 4.0,
        _F.TIMEOUT: 2.0,
    },
    Nature.QUOTA: {
        _F.RATE_LIMIT: 0.0,
        _F.QUOTA_EXHAUSTED: 0.0,
        _F.BOT_BLOCK: 2.5,
        _F.AUTH_ERROR: 4.0,
        _F.TIMEOUT: 2.0,
    },
    Nature.PLAN: {_F.PLAN_LIMIT: 0.0, _S.FORBIDDEN: 0.0, _F.AUTH_ERROR: 3.0, _F.TIMEOUT: 2.0},
    Nature.REQUEST: {_F.NOT_FOUND: 0.0, _F.BAD_REQUEST: 0.0, _F.EMPTY: 3.0, _F.TIMEOUT: 2.0},
    Nature.DATA: {
        _F.INVALID_DATA: 0.0,
        _F.EMPTY: 0.0,
        _F.STALE_DATA: 0.0,
        _S.FLOOD: 0.0,
        _S.CUT: 0.5,
        _F.TIMEOUT: 2.0,
        _S.PAGE: 2.5,
    },
}
"""How odd a sign is for a fault of each kind; what is not named is no sign of it at all.

Whatever is wrong, calls may be late besides.
"""

OWN: Mapping[Sign, Nature] = {
    sign: next(nature for nature, odd in STRANGENESS.items() if odd.get(sign, 1.0) == 0.0)
    for sign in (*(each for each in FailureClass if each.is_failure), *Symptom)
} | {_S.UNRESOLVED: Nature.NAME}
"""What each sign speaks for by itself."""

_P = PlaceKind

PRICES: Mapping[Nature, Mapping[PlaceKind, float]] = {
    Nature.DOWN: {_P.SOURCE: 1.0, _P.HOST: 2.0, _P.PART: 4.0, _P.ENDPOINT: 5.0},
    Nature.NAME: {_P.HOST: 1.0, _P.SOURCE: 2.0},
    Nature.KEY: {_P.KEY: 1.0, _P.SOURCE: 2.0, _P.PART: 4.0, _P.ENDPOINT: 5.0, _P.HOST: 5.0},
    Nature.QUOTA: {_P.KEY: 1.0, _P.SOURCE: 2.0, _P.PART: 4.0, _P.HOST: 4.0, _P.ENDPOINT: 5.0},
    Nature.PLAN: {_P.PART: 2.0, _P.ENDPOINT: 2.5, _P.KEY: 3.0, _P.SOURCE: 3.0, _P.HOST: 6.0},
    Nature.REQUEST: {_P.ENDPOINT: 1.5, _P.PART: 3.5, _P.SOURCE: 4.5, _P.HOST: 5.5},
    Nature.DATA: {_P.ENDPOINT: 2.5, _P.PART: 3.0, _P.SOURCE: 3.0, _P.HOST: 3.5},
}
"""How dear it is to believe that something of this kind is wrong at a place of this size."""

UNHEARD_OF = 6.5
"""The price of a place that a kind of fault is never found at: dear, yet not beyond belief."""

WITHOUT_OWN_SIGN = 3.0
"""What it adds when nothing was seen that speaks for this kind of fault by itself."""

AT_ONE_HOST = 1.5
WITH_ONE_KEY = 3.0
"""What it adds when a part fails at one host only, or with one key only."""


def root_cause_at(nature: Nature, *, one_host: bool) -> RootCause:
    """The root cause of a fault.

    Parameters
    ----------
    one_host : bool
        Whether it is one host of several.
    """
    if nature is Nature.DOWN:
        return RootCause.HOST_DOWN if one_host else RootCause.PROVIDER_DOWN
    return {
        Nature.NAME: RootCause.NAME,
        Nature.KEY: RootCause.KEY,
        Nature.QUOTA: RootCause.QUOTA,
        Nature.PLAN: RootCause.PLAN,
        Nature.REQUEST: RootCause.REQUEST,
        Nature.DATA: RootCause.DATA,
    }[nature]
