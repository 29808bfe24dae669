"""Days that never were: what readers, probes, heals and alerts would have left in the tables.

Made by statements, day by day, of a seed: the same numbers again give the same rows. Three of a
hundred requests meet a failure, in some hours more than in others, and most are healed by the first
or the second strategy. Ids are as random as the real ones, so that indexes are as scattered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg

from healing_pipeline.storage.database import connection_info

A_DAY = timedelta(days=1)

# One request: which endpoint, when, what it met; the same whenever it is asked for.
REQUEST = """
WITH request AS (
    SELECT g, md5(%(salt)s || g)::uuid AS id,
           -- The last ones end on the same day.
           %(begin)s::timestamptz
               + (g - 0.5) / %(requests)s * (%(lasts)s::interval - interval '2 s') AS at,
           (%(endpoints)s::text[])[1 + abs(hashint8(g * 7919))
                                       %% cardinality(%(endpoints)s::text[])] AS endpoint,
           (abs(hashint8(g + %(seed)s::bigint * 1000003)) %% 100000) / 100000.0 AS luck,
           (abs(hashint8(g * 31 + %(seed)s)) %% 100000) / 100000.0 AS chance
      FROM generate_series(1::bigint, %(requests)s) AS g
), met AS (
    SELECT *, split_part(endpoint, '/', 1) AS source,
           -- Each source has its bad hours.
           luck < CASE WHEN (extract(hour FROM at)::int + length(endpoint)) %% 12 = 0
                       THEN 0.2 ELSE 0.015 END AS is_met,
           (ARRAY['timeout', 'server_error', 'rate_limit', 'network_error', 'empty'])
               [1 + (extract(hour FROM at)::int + length(endpoint)) %% 5] AS class,
           (ARRAY['exponential_backoff_retry', 'use_cached_data', 'alternate_host',
                  'fallback_provider', 'hedged_request'])[1 + g %% 5] AS first,
           (ARRAY['use_cached_data', 'alternate_host', 'fallback_provider',
                  'exponential_backoff_retry', 'rotate_api_key'])[1 + g %% 5] AS second
      FROM request
), ended AS (
    SELECT *, CASE WHEN NOT is_met THEN 1 WHEN chance < 0.7 THEN 2 ELSE 3 END AS attempts,
           is_met AND chance > 0.995 AS failed
      FROM met
)
"""

ATTEMPTS = (
    REQUEST
    + """
INSERT INTO attempt (id, request_id, attempt_no, at, origin, source, endpoint, strategy, params,
                     host, key_name, failure_class, evidence, healed, fidelity, seconds, status,
                     upstream_calls, late, met)
SELECT md5(%(salt)s || g || '-' || n)::uuid, id, n, at + (n - 1) * interval '150 ms', 'reader',
       source, endpoint, CASE n WHEN 1 THEN 'plain' WHEN 2 THEN first ELSE second END,
       CASE n WHEN 1 THEN '{}' ELSE jsonb_build_object('waited_s', round(chance::numeric, 3)) END,
       'host' || g %% 2, 'primary',
       CASE WHEN is_met AND (n < attempts OR failed) THEN class ELSE 'ok' END::failure_class,
       CASE WHEN is_met AND (n < attempts OR failed) THEN 'status 503 after 0.2 s' ELSE 'status 200'
       END,
       n > 1 AND n = attempts AND NOT failed,
       CASE WHEN n > 1 AND n = attempts AND NOT failed THEN 'exact' END::fidelity,
       0.05 + chance * 0.4, CASE WHEN n < attempts THEN 503 ELSE 200 END, 1,
       n = 3 AND chance > 0.9, CASE WHEN n > 1 THEN class END::failure_class
  FROM ended CROSS JOIN LATERAL generate_series(1, attempts) AS n
"""
)
ANSWERS = (
    REQUEST
    + """
INSERT INTO answer (request_id, at, source, endpoint, fidelity, strategy, provider, attempts,
                    seconds, failure_class, failed, as_of)
SELECT id, at + interval '50 ms', source, endpoint,
       CASE WHEN NOT failed THEN 'exact' END::fidelity,
       CASE attempts WHEN 1 THEN 'plain' WHEN 2 THEN first ELSE second END, source, attempts,
       0.05 + chance * 0.4 * attempts, CASE WHEN is_met THEN class END::failure_class, failed, at
  FROM ended
"""
)
DECISIONS = (
    REQUEST
    + """
INSERT INTO decision (request_id, decision_no, at, origin, source, endpoint, failure_class, policy,
                      budget_s, considered)
SELECT id, n, at, 'reader', source, endpoint, class, 'abcdef', 2.5,
       (SELECT jsonb_agg(jsonb_build_object('strategy', each, 'p', 0.8, 'seconds', 0.4,
                                            'because', 'healed so often at this source'))
          FROM unnest(ARRAY['use_cached_data', 'alternate_host', 'fallback_provider',
                            'hedged_request', 'exponential_backoff_retry']) AS each)
  FROM ended CROSS JOIN LATERAL generate_series(1, attempts - 1) AS n
 WHERE is_met
"""
)
PROBES = """
INSERT INTO probe_result (id, at, source, endpoint, host, key_name, failure_class, evidence,
                          seconds, status, as_of)
SELECT md5(%(salt)s || endpoint || g)::uuid,
       %(begin)s::timestamptz + (g - 0.3) / %(probes)s * %(lasts)s::interval,
       split_part(endpoint, '/', 1), endpoint, 'host' || g %% 2, 'primary',
       CASE WHEN abs(hashint8(g * 17 + place)) %% 100 < 2 THEN 'timeout' ELSE 'ok' END,
       'status 200 within 0.2 s', 0.1 + (g %% 30) / 100.0, 200,
       %(begin)s::timestamptz + (g - 0.3) / %(probes)s * %(lasts)s::interval
  FROM unnest(%(endpoints)s::text[]) WITH ORDINALITY AS each (endpoint, place)
 CROSS JOIN generate_series(1::bigint, %(probes)s) AS g
"""
SNAPSHOTS = """
INSERT INTO snapshot (endpoint, request_key, fetched_at, as_of, provider, reading, body, fidelity)
SELECT endpoint, 'day ' || %(salt)s, %(begin)s, %(begin)s, split_part(endpoint, '/', 1),
       jsonb_build_object('instrument', endpoint, 'interval', '1d', 'as_of', %(begin)s::timestamptz,
                          'points', jsonb_agg(jsonb_build_array(
                              %(begin)s::timestamptz - g * interval '1 day', 'close', 100 + g))),
       convert_to(repeat('{"close": 1}', 300), 'UTF8'),
       'exact'
  FROM unnest(%(endpoints)s::text[]) AS endpoint CROSS JOIN generate_series(1, 60) AS g
 GROUP BY endpoint
"""
INCIDENTS = """
WITH made AS (
    INSERT INTO incident (endpoint, source, state, state_since, failure_class, evidence, severity,
                          root_cause, detected_by, began_at, detected_at, healing_since, healed_at,
                          resolved_at, strategy, fidelity, heals)
    SELECT endpoint, split_part(endpoint, '/', 1), 'resolved', at + interval '5 min', 'timeout',
           'no answer within 3 s', 'error', 'provider', 'probe', at, at + interval '4 s',
           at + interval '5 s', at + interval '6 s', at + interval '5 min', 'use_cached_data',
           'stale', 1
      FROM (SELECT (%(endpoints)s::text[])[1 + (g * 11 + %(seed)s) %%
                                           cardinality(%(endpoints)s::text[])] AS endpoint,
                   %(begin)s::timestamptz + (g - 0.5) / %(incidents)s * %(lasts)s::interval AS at
              FROM generate_series(1::bigint, %(incidents)s) AS g) AS each
    RETURNING id, endpoint, source, began_at AS at
), stepped AS (
    INSERT INTO incident_event (incident_id, at, signal, from_state, to_state, note, asks_heal)
    SELECT id, at + lag * interval '1 s', signal, from_state::incident_state,
           to_state::incident_state, 'as it goes', asks
      FROM made CROSS JOIN (VALUES (4, 'confirmed', NULL, 'open', true),
                                   (5, 'heal_begun', 'open', 'healing', false),
                                   (6, 'heal_succeeded', 'healing', 'healed', false),
                                   (300, 'recovered', 'healed', 'resolved', false))
           AS step (lag, signal, from_state, to_state, asks)
), diagnosed AS (
    INSERT INTO diagnosis (incident_id, at, root_cause, place, scope, members, severity, chain,
                           rested_on)
    SELECT id, at, 'provider', source, ARRAY[endpoint], ARRAY[id], 'error',
           '[{"question": "who fails?", "found": "it alone", "follows": "the provider"}]', '{}'
      FROM made
), routed AS (
    INSERT INTO route (endpoint, strategy, fidelity, incident_id, created_at, withdrawn_at)
    SELECT endpoint, 'use_cached_data', 'stale', id, at, at + interval '5 min' FROM made
), grouped AS (
    INSERT INTO alert_group (fingerprint, source, root_cause, level, title, began_at, recovered_at,
                             resolved_at)
    SELECT 'incident ' || id, source, 'provider', 'error', endpoint || ' fails', at,
           at + interval '5 min', at + interval '6 min' FROM made
    RETURNING id, fingerprint, began_at AS at
), told AS (
    INSERT INTO alert_group_incident (incident_id, group_id, joined_at)
    SELECT split_part(fingerprint, ' ', 2)::bigint, id, at FROM grouped
), spoken AS (
    INSERT INTO alert (at, level, title, body, dedupe_key, group_id, kind)
    SELECT at, 'error', 'fails', 'as it is', fingerprint || kind, id, kind
      FROM grouped CROSS JOIN (VALUES ('fired'), ('resolved')) AS message (kind)
    RETURNING id, at
)
INSERT INTO delivery (alert_id, channel, state, next_at, sent_at)
SELECT id, channel, 'sent', at, at FROM spoken CROSS JOIN (VALUES ('web'), ('mail')) AS c (channel)
"""
REPORTS = """
INSERT INTO health_report (report_at, endpoint, source, window_s, probes, failures, requests,
                           met_fault, healed_requests, reader_errors, incidents, state)
SELECT %(begin)s::timestamptz + g * interval '1 hour', endpoint, split_part(endpoint, '/', 1),
       86400, 1440, 20, 5000, 150, 149, 1, 0, 'healthy'
  FROM unnest(%(endpoints)s::text[]) AS endpoint CROSS JOIN generate_series(0, 23) AS g
"""
OPEN_INCIDENT = """
WITH made AS (
    INSERT INTO incident (endpoint, source, state, state_since, failure_class, evidence, severity,
                          detected_by, began_at, detected_at)
    VALUES (%(endpoint)s, split_part(%(endpoint)s, '/', 1), 'escalated', %(at)s, 'empty', 'no rows',
            'error', 'probe', %(at)s, %(at)s)
    RETURNING id)
INSERT INTO incident_event (incident_id, at, signal, from_state, to_state, note, asks_heal)
SELECT id, %(at)s, signal, from_state::incident_state, to_state::incident_state, 'discontinued',
       false
  FROM made CROSS JOIN (VALUES ('confirmed', NULL, 'open'), ('heal_failed', 'open', 'escalated'))
       AS step (signal, from_state, to_state)
RETURNING incident_id
"""


@dataclass(frozen=True, slots=True)
class Volume:
    """How much happens on a day."""

    requests: int
    probes: int  # of each endpoint
    incidents: int


@dataclass(slots=True)
class Account:
    """What was made, by day and table: an independent account of what has to be there."""

    rows: dict[tuple[datetime, str], int] = field(default_factory=dict)

    def of(self, table: str, since: datetime, until: datetime) -> int:
        """Rows of a table that were made for the days in [since, until)."""
        return sum(
            count
            for (day, name), count in self.rows.items()
            if name == table and since <= day < until
        )


def make_day(
    url: str,
    begin: datetime,
    endpoints: Sequence[str],
    volume: Volume,
    seed: int,
    account: Account,
    *,
    share: float = 1.0,
) -> None:
    """Write a day's rows, two statements at a time; `share` of a day for one that is not over."""
    values: dict[str, Any] = {
        "salt": f"{seed} {begin:%Y-%m-%d} ",
        "seed": seed + begin.toordinal(),
        "begin": begin,
        "lasts": A_DAY * share,
        "endpoints": list(endpoints),
        "requests": max(1, round(volume.requests * share)),
        "probes": max(1, round(volume.probes * share)),
        "incidents": max(1, round(volume.incidents * share)),
    }
    parts: tuple[Mapping[str, str], ...] = (
        {"attempt": ATTEMPTS},
        {"answer": ANSWERS, "decision": DECISIONS, "probe_result": PROBES},
    )

    def write(statements: Mapping[str, str]) -> None:
        # What is made up needs no disk to be safe on.
        info = connection_info(url, settings={"synchronous_commit": "off"})
        with psycopg.connect(info, autocommit=True) as connection:
            for table, statement in statements.items():
                account.rows[begin, table] = connection.execute(statement.encode(), values).rowcount

    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(write, parts))
    write({"snapshot": SNAPSHOTS, "incident": INCIDENTS, "health_report": REPORTS})


def begin_lasting_incident(url: str, endpoint: str, at: datetime) -> int:
    """An incident that nobody ends: its endpoint's facts have to stay."""
    with psycopg.connect(connection_info(url)) as connection:
        row = connection.execute(
            OPEN_INCIDENT.encode(), {"endpoint": endpoint, "at": at}
        ).fetchone()
    assert row is not None
    return int(row[0])
