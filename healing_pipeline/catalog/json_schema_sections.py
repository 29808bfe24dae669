"""The sections of `json_schema` beside the sources and endpoints that have many keys."""

from __future__ import annotations

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.alert_section import LEVELS
from healing_pipeline.catalog.gateway_section import GatewaySettings
from healing_pipeline.catalog.json_schema_forms import (
    Schema,
    choice,
    duration,
    flag,
    named,
    number,
    table,
    text,
    texts,
)
from healing_pipeline.catalog.retention_section import FLOORS, Retention
from healing_pipeline.second_opinion.settings import LONGEST_WAIT_S, Ask, Service

# What each kind of row is, for `retention`.
ROWS = {
    "detail": "Attempts, answers and probe results",
    "decisions": "What each choice among strategies was made of, for `healing explain`",
    "snapshots": "Stored answers; the newest of each endpoint stays",
    "incidents": "Resolved ones with their steps, diagnoses, second opinions and routes",
    "alerts": "Closed groups with their messages and deliveries",
    "health": "Quarters of an hour, and health reports",
    "knowledge": "What was learned of single hours; the sums of days stay for ever",
    "policies": "Those no longer in force; the one before it stays",
    "runs": "Dagster's runs that materialise no partition, and the logs of the others",
}


def retention() -> Schema:
    """How long each kind of row is kept."""
    usual = Retention()
    return table(
        {
            kind: number(
                f"{what} ({getattr(usual, kind)}; {FLOORS[kind][0]} at least: {FLOORS[kind][1]})."
            )
            for kind, what in ROWS.items()
        },
        "Days that each kind of row is kept.",
    )


def alerts() -> Schema:
    """Who is told, of what, when."""
    usual = AlertSettings()
    channel = table(
        {
            "env": text("The environment variable that holds the channel's address (Apprise)."),
            "levels": {
                **texts("Which levels go there ([error, critical])."),
                "items": {"enum": [str(each) for each in LEVELS]},
            },
            "sources": texts("Of which sources (all)."),
            "owners": texts("Of whose endpoints and jobs (everybody's)."),
        },
        "A way to people.",
    )
    keys = {
        "url": text(f"Where people reach the dashboard; links in messages begin with it "
                    f"({usual.url})."),
        "channels": named("Ways to people by name, besides the dashboard.",
                          {**channel, "required": ["env"]}),
        "failure-threshold": number(
            "Failed observations in a row before an incident that nothing heals is told of "
            f"({usual.failure_threshold})."
        ),
        "success-threshold": number(
            f"Good observations in a row before it counts as over ({usual.success_threshold})."
        ),
        "send-on-resolved": flag("Whether people are told that it is over (true)."),
        "minimum-reminder-interval": duration(
            "Least time between two messages of one level about one group, an hour or more; 0: no "
            "reminders (1h)."
        ),
        "minimum-samples": number(
            "Requests that a share of errors needs before it says anything "
            f"({usual.minimum_samples})."
        ),
        "keep-firing-for": duration(
            "How long a group has to stay well before it is closed; longer when it flaps (60s)."
        ),
        "objective": number(
            "Share of readers' requests that have to be answered, of each source "
            f"({usual.objective})."
        ),
        "heals-too-often": number(
            "Heals of one endpoint within an hour that people should know of "
            f"({usual.heals_too_often})."
        ),
    }  # fmt: skip
    return table(keys, "Who is told when healing fails.")


def gateway() -> Schema:
    """What one client may ask."""
    usual = GatewaySettings()
    return table(
        {
            "requests_per_s": number(f"Of one client, over a while ({usual.requests_per_s:g})."),
            "burst": number(f"Of one client at once, after a pause ({usual.burst})."),
            "proxies": texts("Addresses and networks whose X-Forwarded-For is believed (nobody)."),
        },
        "What one client may ask of the gateway.",
    )


def second_opinion() -> Schema:
    """Which model may advise, at what price."""
    prices = table(
        {
            "input": number("US dollars for a million tokens that it reads."),
            "output": number("US dollars for a million tokens that it writes."),
            "cache_write": number("Of input that is put into its cache; as input where left out."),
            "cache_read": number("Of input that comes from its cache; as input where left out."),
        },
        "What the service bills. The service anthropic needs all four.",
    )
    keys = {
        "service": choice([str(each) for each in Service], "Whose API it is, or is like."),
        "model": text("The model's name, as the service lists it."),
        "daily_budget_usd": number("US dollars a day that are not exceeded."),
        "price_per_million_tokens": {**prices, "required": ["input", "output"]},
        "base_url": text("Instead of the service's own address: a server that speaks its API."),
        "api_key_env": text("The environment variable that holds the key."),
        "timeout_s": number(f"Seconds after which we go on without it ({LONGEST_WAIT_S:g})."),
        "ask": choice(
            [str(each) for each in Ask],
            f"A heal run asks once its plan has failed, or beside each plan ({Ask.UNHEALED}).",
        ),
    }
    required = ["service", "model", "daily_budget_usd", "price_per_million_tokens"]
    return {**table(keys, "A language model that may advise heal runs."), "required": required}
