"""What a person should do, by what is broken."""

from __future__ import annotations

from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.probing.failure_class import FailureClass

# A failure class says more than its cause where what to do differs.
BY_FAILURE: dict[FailureClass, str] = {
    FailureClass.BOT_BLOCK: "The source takes us for a robot: ask it less often (`quota` in the "
    "configuration), from another address, or arrange access with it. Trying on prolongs it.",
    FailureClass.QUOTA_EXHAUSTED: "The quota is spent until its day or month ends: add a spare key "
    "you are entitled to (`keys`), lower `probe_share`, or buy a larger plan.",
    FailureClass.SLOW: "The source answers too slowly: look at its status page; if it stays so, "
    "raise `deadline_s` of the endpoint or ask for less at once.",
    FailureClass.STALE_DATA: "The source sends old data: look whether its market is open and its "
    "status page says so; `max_age_s` and `calendar` decide what counts as old.",
    FailureClass.EMPTY: "The source sends no rows: open the endpoint's request in a browser, and "
    "see whether the ticker or series still exists.",
}

BY_CAUSE: dict[RootCause, str] = {
    RootCause.OUR_NETWORK: "Look at our own connection: cable, router, provider, proxy, DNS. "
    "Nothing else has to be done; probing and healing go on by themselves.",
    RootCause.NAME: "The host's name does not resolve: look it up from another network; if only "
    "here it fails, mend our resolver, else wait for the source or change `hosts`.",
    RootCause.PROVIDER_DOWN: "Look at the source's status page and tell its support; to bridge the "
    "time, name `alternates` that carry the same data.",
    RootCause.HOST_DOWN: "Look at the source's status page and whether it can be reached from "
    "another network; to bridge the time, add a host or `alternates`.",
    RootCause.KEY: "Renew the key at the source, put it into its environment variable and restart; "
    "a spare under `keys` would have been used by itself.",
    RootCause.QUOTA: "We ask too often with this key: raise `interval_s`, lower `probe_share`, add "
    "a spare key you are entitled to, or buy a larger plan.",
    RootCause.PLAN: "Our plan at the source does not include this: buy it, name `alternates`, or "
    "take the endpoint out.",
    RootCause.REQUEST: "The source does not know what is asked for: correct `path` and `params` of "
    "the endpoint, or take it out if the ticker or series is gone.",
    RootCause.DATA: "The source sends what it should not: open the incident's evidence; if its "
    "format has changed, the provider's reading has to follow.",
}

UNKNOWN_CAUSE = (
    "Readers go without an answer and no cause is known: look at the source's endpoints on the "
    "dashboard, and at what their requests met."
)
NOBODY_LOOKS = (
    "See whether Dagster's daemon runs and the sensors `probe_<source>` are switched on; `healing "
    "up` starts them."
)
NOBODY_HEALS = (
    "See on Dagster's page whether runs of `heal_endpoint` begin, wait in its queue or fail, and "
    "why in its logs; `healing up` starts what begins them."
)
HEALS_TOO_OFTEN = (
    "Healing hides that something is wrong for good: look at what the incidents have in common and "
    "mend the cause, or give the endpoint another source."
)
LONG_BY_FALLBACK = (
    "Readers are served, but not by the endpoint itself: look at its incident, and decide whether "
    "what they get is good enough for so long."
)


def action_for(root_cause: RootCause | None, failure: FailureClass | None = None) -> str:
    """What to do about a root cause; None when it is not known."""
    if root_cause is None:
        return UNKNOWN_CAUSE
    if root_cause is not RootCause.OUR_NETWORK and failure in BY_FAILURE:
        return BY_FAILURE[failure]
    return BY_CAUSE[root_cause]
