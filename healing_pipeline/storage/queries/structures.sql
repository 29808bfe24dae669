-- The rows of the eight structures, as `reporting.structures` declares them.
--
-- Seconds are told to the millisecond and shares to four digits: a report needs no more, and every
-- digit is a token to a language model. Each statement gives `most` rows at the most.

-- name: error_events(since, until, most)
-- First calls and probes that failed, the newest first. Empty: nothing failed.
SELECT at, source, endpoint, failure_class, seen_by, host, key_name AS key, status,
       round(seconds::numeric, 3)::float8 AS seconds, healed_by, left(evidence, 200) AS evidence
  FROM ((SELECT at, source, endpoint, failure_class::text, 'probe' AS seen_by, host, key_name,
                status, seconds, NULL AS healed_by, evidence
           FROM probe_result
          WHERE at >= :since AND at < :until AND failure_class <> 'ok'
          ORDER BY at DESC
          LIMIT :most)
        UNION ALL
        (SELECT attempt.at, attempt.source, attempt.endpoint, attempt.failure_class::text,
                attempt.origin, attempt.host, attempt.key_name, attempt.status, attempt.seconds,
                answer.strategy, attempt.evidence
           FROM attempt
           LEFT JOIN answer ON answer.request_id = attempt.request_id AND NOT answer.failed
          WHERE attempt.at >= :since AND attempt.at < :until
            AND attempt.strategy = 'plain' AND attempt.failure_class <> 'ok'
          ORDER BY attempt.at DESC
          LIMIT :most)) AS failed
 ORDER BY at DESC, endpoint
 LIMIT :most;

-- name: healing_strategies(since, until, most)
-- Like `lessons`, what our own limits refused to send is no attempt. Empty: nothing was tried.
SELECT source, strategy, string_agg(DISTINCT met::text, '|' ORDER BY met::text) AS against,
       count(*) AS tries, count(*) FILTER (WHERE healed) AS healed,
       round(count(*) FILTER (WHERE healed) / count(*)::numeric, 4)::float8 AS success_rate,
       count(*) FILTER (WHERE healed AND fidelity = 'exact') AS exact,
       round(avg(seconds)::numeric, 3)::float8 AS mean_s, max(at) AS last_at
  FROM attempt
 WHERE at >= :since AND at < :until AND strategy <> 'plain' AND met IS NOT NULL
   AND origin IN ('reader', 'heal')
   AND (upstream_calls > 0 OR healed OR strategy IN ('use_cached_data', 'long_ttl_cache'))
 GROUP BY source, strategy
 ORDER BY tries DESC, source, strategy
 LIMIT :most;

-- name: active_alerts(most)
-- Empty: nothing is wrong that people are told of.
SELECT alert_group.id, level, source, root_cause, title, began_at, recovered_at, acknowledged_by,
       owners, members.incidents, members.endpoints
  FROM alert_group
  JOIN LATERAL (
       SELECT count(*) AS incidents,
              array_agg(DISTINCT incident.endpoint ORDER BY incident.endpoint) AS endpoints
         FROM alert_group_incident AS member
         JOIN incident ON incident.id = member.incident_id
        WHERE member.group_id = alert_group.id) AS members ON true
 WHERE resolved_at IS NULL
 ORDER BY array_position(ARRAY['critical', 'error', 'warning', 'info'], level::text), began_at, id
 LIMIT :most;

-- name: inner_totals(since, until)
-- By source, in hours that begin in the window. Empty: nothing was tried, or it is not folded yet.
SELECT source, failure_class, strategy, sum(tries)::bigint AS tries, sum(healed)::bigint AS healed,
       round(sum(ms) / sum(tries)::numeric / 1000, 3)::float8 AS mean_s
  FROM inner_knowledge
 WHERE hour >= :since AND hour < :until
 GROUP BY source, failure_class, strategy;

-- name: outer_totals(until)
-- Of all sources and days; a day that was not summed yet is summed from its hours.
SELECT NULL AS source, failure_class, strategy, sum(tries)::bigint AS tries,
       sum(healed)::bigint AS healed,
       round(sum(ms) / sum(tries)::numeric / 1000, 3)::float8 AS mean_s
  FROM (SELECT failure_class, strategy, tries, healed, ms
          FROM outer_knowledge WHERE day < :until
        UNION ALL
        SELECT failure_class, strategy, tries, healed, ms
          FROM inner_knowledge
         WHERE hour < :until AND date_bin('1 day', hour, 'epoch') NOT IN (SELECT day FROM outer_fold)
       ) AS known
 GROUP BY failure_class, strategy;

-- name: probed(endpoints, until)
-- When endpoints were probed last, what was seen, and when they are due. Each is there once.
SELECT asked.endpoint, last.at AS last_probe_at, last.failure_class AS last_seen,
       probe_schedule.next_at AS next_probe_at
  FROM unnest(:endpoints::text[]) AS asked (endpoint)
  LEFT JOIN probe_schedule ON probe_schedule.endpoint = asked.endpoint
  LEFT JOIN LATERAL (
       SELECT at, failure_class
         FROM probe_result
        WHERE probe_result.endpoint = asked.endpoint AND at < :until
        ORDER BY at DESC
        LIMIT 1) AS last ON true;

-- name: realtime_metrics(since, until, most)
-- By minute and source, the newest first. Empty: nobody asked and nothing was probed.
SELECT minute, source, sum(requests)::bigint AS requests,
       sum(reader_errors)::bigint AS reader_errors, sum(met_fault)::bigint AS met_fault,
       sum(healed_requests)::bigint AS healed_requests, max(mean_s) AS mean_s, max(p95_s) AS p95_s,
       sum(probes)::bigint AS probes, sum(failures)::bigint AS failures,
       sum(upstream_calls)::bigint AS upstream_calls
  FROM (SELECT date_bin('1 minute', at, 'epoch') AS minute, source, count(*) AS requests,
               count(*) FILTER (WHERE failed) AS reader_errors,
               count(*) FILTER (WHERE met) AS met_fault,
               count(*) FILTER (WHERE met AND NOT failed) AS healed_requests,
               round(avg(seconds)::numeric, 3)::float8 AS mean_s,
               round((percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds))::numeric, 3)::float8
                   AS p95_s,
               0 AS probes, 0 AS failures, 0 AS upstream_calls
          FROM (SELECT *, COALESCE(failure_class NOT IN ('ok', 'bad_request'), false) AS met
                  FROM answer
                 WHERE at >= :since AND at < :until) AS answered
         GROUP BY minute, source
        UNION ALL
        SELECT date_bin('1 minute', at, 'epoch') AS minute, source, 0, 0, 0, 0, NULL, NULL,
               count(*), count(*) FILTER (WHERE failure_class <> 'ok'), 0
          FROM probe_result
         WHERE at >= :since AND at < :until
         GROUP BY minute, source
        UNION ALL
        SELECT date_bin('1 minute', at, 'epoch') AS minute, source, 0, 0, 0, 0, NULL, NULL,
               0, 0, sum(upstream_calls)
          FROM attempt
         WHERE at >= :since AND at < :until AND origin IN ('reader', 'heal')
         GROUP BY minute, source) AS part
 GROUP BY minute, source
 ORDER BY minute DESC, source
 LIMIT :most;
