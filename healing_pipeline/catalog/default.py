"""The configuration a newcomer starts with: five sources, over fifty endpoints, every setting told.

Its upstreams are simulated, because a newcomer has no keys and `make run` has to work at once. What
it watches is in `default_endpoints`.
"""

from __future__ import annotations

import os
from pathlib import Path

from healing_pipeline.catalog.default_endpoints import endpoint_lines
from healing_pipeline.errors import ConfigurationError

HEAD = """\
# What healing_pipeline watches. Written by `healing init`; yours to change from here on.
# `healing check` lists every mistake with its line and its cure.

# simulated: every source is played by the built-in simulator; no keys, no network.
# real:      ask the providers below; export the keys first (FRED_API_KEY=..., see `keys`).
# The environment variable HEALING_UPSTREAMS overrides this line.
upstreams: simulated

# The simulated hosts listen on this port and the ones after it.
simulator: {port: 8900}

# Hosts that may be in a private network (localhost, 10.0.0.0/8, ...), each by its name: [10.0.0.7]
# or [localhost:8080]. Others are refused there, also when their DNS or a redirect leads to it.
allow_private_hosts: []

# Asked for a connection, nothing else, when calls are lost: if neither they nor any source's hosts
# take one, our own connection is down and no provider is blamed. [] asks the sources' hosts only.
witnesses: ["one.one.one.one:443", "dns.google:443", "dns.quad9.net:443"]

# Learning goes back to this day (UTC). Every hour of every source since then is a partition in
# Dagster, which bears 100,000 of them.
learning: {since: 2025-11-01}

# Days that rows are kept; `healing prune` takes older ones away, and a schedule does so each night.
# Never taken: what is not folded into knowledge and health yet, facts of open incidents, messages
# that nobody has. Sums of days, and what was learned from them, stay for ever.
retention:
  detail: 35  # attempts, answers, probe results; a month of calls counts against monthly quotas
  decisions: 7  # why each request was healed as it was: `healing explain`; the largest rows
  snapshots: 30  # stored answers; the newest of each endpoint stays
  incidents: 400  # with their steps, diagnoses, second opinions; a year and a month to compare with
  alerts: 400  # what people were told
  health: 400  # by quarters of an hour, and the reports of each hour
  knowledge: 400  # what hours of sources taught; policies are fitted to ninety days
  policies: 90  # but for the one in force and the one before
  runs: 30  # Dagster's runs that materialise no partition, and the logs of the others

# Who is told when healing fails. Every message is on the dashboard; a channel brings it further.
# Its address is an Apprise URL (mailto://..., slack://..., twilio://..., and a hundred more) in an
# environment variable, because it may hold a password. `healing alerts test` tries each channel.
#   levels   warning, error, critical ([error, critical])    sources, owners   which ones (all)
# alerts:
#   url: http://localhost:8888  # where people reach the dashboard; links in messages begin with it
#   channels:
#     mail: {env: ALERTS_MAIL_URL, levels: [error, critical]}
#     sms: {env: ALERTS_SMS_URL, levels: [critical]}
#   failure-threshold: 2  # failed observations in a row before people are told
#   success-threshold: 2  # good ones in a row before it counts as over
#   send-on-resolved: true  # one closing message: what broke, how long, what healed it
#   minimum-reminder-interval: 1h  # an hour or more, 0 for none; a rise in level never waits
#   minimum-samples: 20  # requests that a share of errors needs before it says anything
#   keep-firing-for: 60s  # well for so long before it is closed; longer when it flaps
#   objective: 0.99  # share of readers' requests to be answered, per source
#   heals-too-often: 12  # heals of one endpoint within an hour that people should know of

# A source with more endpoints than this has several sensors, each with a part of them.
sharding: {endpoints_per_sensor: 500}

# The dashboard is for those whom the gateway lets in. true shows everybody two things besides:
# /status, which endpoints are well, and badges, /badge/yahoo.svg, to put on a page of your own.
# They say neither what failed nor how, and no host and no key.
dashboard: {public: false}

# What one client (an address; of IPv6 its /64) may ask of the gateway; beyond it, 429 with
# Retry-After. X-Forwarded-For is believed of the proxies that are named here, and of nobody else.
gateway: {requests_per_s: 500, burst: 1000, proxies: []}

# A language model may advise heal runs whose plan has not helped, before people are called. It is
# shown the evidence without secrets, can only put the plan's own strategies in another order, and
# is never asked beyond the day's budget: docs/explanation/second_opinion.md. Needs the extra
# `second-opinion`.
# second_opinion:
#   service: openai  # their API and every server that speaks like it; or anthropic
#   base_url: http://localhost:11434/v1  # left out: the service's own
#   model: qwen3:8b
#   api_key_env: OPENAI_API_KEY  # the variable that holds the key; a server of yours may need none
#   daily_budget_usd: 1  # by UTC days, what is under way counted at the most it can cost
#   # In dollars, from your service's price list; 0 for a server of your own. Anthropic bills caches
#   # apart: {input: ..., output: ..., cache_write: ..., cache_read: ...}
#   price_per_million_tokens: {input: 0, output: 0}
#   timeout_s: 8  # 8 at most; then the deterministic answer stands
#   ask: unhealed  # or always: beside every plan, so that there is more to judge it by

# A source is a provider of data as you use it.
#   provider     who speaks its language; its own name when left out
#   hosts        name: base URL, in order of preference
#   keys         name: {env: VARIABLE}, in order of preference. The secret is in that environment
#                variable and never in this file. The first key is needed, spares are used if set.
#   quota        calls one key may make: per_minute, per_day, per_month; left out is unmetered
#   probe_share  the part of the quota that probes may spend, 0 to 1 (0.2); readers have the rest
#   calendar     when its markets are open: always, XNYS (New York stock exchanges), fx (Sunday to
#                Friday, 17:00 New York) or us_business (days of the Federal Reserve)
sources:
  yahoo:
    provider: yahoo
    hosts:
      query1: https://query1.finance.yahoo.com
      query2: https://query2.finance.yahoo.com
    # Yahoo publishes no limit, and blocks for hours who asks too fast: this one is a courtesy.
    quota: {per_minute: 60}
    probe_share: 0.5
    calendar: XNYS

  fred:
    provider: fred
    hosts:
      api: https://api.stlouisfed.org
    keys:
      primary: {env: FRED_API_KEY}
      spare: {env: FRED_API_KEY_SPARE}
    quota: {per_minute: 120}
    probe_share: 0.2

  polygon:
    provider: polygon
    hosts:
      polygon: https://api.polygon.io
      massive: https://api.massive.com
    keys:
      primary: {env: POLYGON_API_KEY}
      spare: {env: POLYGON_API_KEY_SPARE}
    quota: {per_minute: 5}
    probe_share: 0.2
    calendar: XNYS

  alpha_vantage:
    provider: alpha_vantage
    hosts:
      www: https://www.alphavantage.co
    keys:
      primary: {env: ALPHA_VANTAGE_API_KEY}
      spare: {env: ALPHA_VANTAGE_API_KEY_SPARE}
    quota: {per_minute: 5, per_day: 25}
    probe_share: 0.2
    calendar: XNYS

  exchange_rate:
    provider: exchange_rate
    hosts:
      v6: https://v6.exchangerate-api.com
      open: https://open.er-api.com
    keys:
      primary: {env: EXCHANGE_RATE_API_KEY}
      spare: {env: EXCHANGE_RATE_API_KEY_SPARE}
    quota: {per_month: 1500}
    probe_share: 0.2
    calendar: always

# An endpoint is one question that is asked again and again. Its id is source/name.
#   path         the path at the provider, without key and query
#   params       the query, without key; path and params may hold "{today}" and "{today-30d}"
#   interval_s   seconds between probes, 30 to 600 (60); fewer where probe_share is used up
#   deadline_s   seconds a reader waits at most, all attempts together, 0.1 to 30 (3)
#   accepts      answers a reader takes: exact, stale, coarser, proxy ([exact, stale, coarser])
#   max_age_s    older data than this is stale, counted while the market is open; left out: no limit
#   calendar     instead of the source's; a daily series has to have a row for each of its days.
#                `none` expects nothing: for a window that ended long ago
#   alternates   where else the data may come from:
#                  series     another series of the same source, a proxy (FRED)
#                  etf        the sector's ETF, a proxy (Yahoo)
#                  endpoints  ids below that carry the same data
#   owner        who is told about it
# A proxy is another instrument, and always labelled as one. Where one is named below it is accepted
# as well: take `proxy` out of `accepts` and only a request that asks for it gets it.
endpoints:
"""


def default_config_text() -> str:
    """The complete default configuration, as `healing init` writes it."""
    return HEAD + "\n".join(endpoint_lines()) + "\n"


def write_default(path: Path, *, force: bool = False) -> None:
    """Write the default configuration; see `write_configuration`."""
    write_configuration(path, default_config_text(), force=force)


def refuse_existing(path: Path, *, force: bool = False) -> None:
    """Refuse a path that nothing may be written to.

    Raises
    ------
    ConfigurationError
        If it is a folder, or there is a file already and `force` is not set.
    """
    if path.is_dir():
        raise ConfigurationError(
            "This is a folder.", "Name a file in it: `healing_config.yaml`.", path=path
        )
    if not force and path.exists():
        raise ConfigurationError(
            "There is a configuration already.",
            "Keep it, name another path, or run `healing init --force` to overwrite it.",
            path=path,
        )


def write_configuration(path: Path, text: str, *, force: bool = False) -> None:
    """Write a configuration to `path`, all of it or nothing; make its folder.

    Raises
    ------
    ConfigurationError
        If there is a file already and `force` is not set, or `path` cannot be written.
    """
    refuse_existing(path, force=force)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The configuration cannot be written: {error.strerror}.",
            "Name a folder that this user may write to.",
            path=path,
        ) from error
