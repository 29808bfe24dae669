-- What the facts add up to.

-- name: health_rows(since, until)
-- The health of every endpoint that is on the schedule or was seen in [since, until).
-- The caller's faults (bad_request, not_found, plan_limit) count neither for nor against a source:
-- such probes are in neither `probes` nor `failures`.
WITH probed AS (
    SELECT endpoint, min(source) AS source,
           count(*) FILTER (WHERE counts) AS probes,
           count(*) FILTER (WHERE counts AND failure_class <> 'ok') AS failures,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) AS seconds
      FROM (SELECT *, failure_class NOT IN ('bad_request', 'not_found', 'plan_limit') AS counts
              FROM probe_result
             WHERE at >= :since AND at < :until) AS in_window
     GROUP BY endpoint
), read AS (
    SELECT endpoint, min(source) AS source,
           count(*) AS requests,
           count(*) FILTER (WHERE met) AS met_fault,
           count(*) FILTER (WHERE met AND NOT failed) AS healed_requests,
           count(*) FILTER (WHERE failed) AS reader_errors,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) AS seconds
      FROM (SELECT endpoint COLLATE "C" AS endpoint, source, failed, seconds,
                   COALESCE(failure_class NOT IN ('ok', 'bad_request'), false) AS met
              FROM answer
             WHERE at >= :since AND at < :until) AS in_window
     GROUP BY endpoint
), ill AS (
    SELECT endpoint, min(source) AS source, count(*) AS incidents,
           (array_agg(state::text ORDER BY id DESC) FILTER (WHERE state <> 'resolved'))[1] AS state
      FROM incident
     WHERE began_at < :until AND (resolved_at IS NULL OR resolved_at >= :since)
     GROUP BY endpoint
), watched AS (
    SELECT endpoint, source FROM probe_schedule
    UNION SELECT endpoint, source FROM probed
    UNION SELECT endpoint, source FROM read
    UNION SELECT endpoint, source FROM ill
)
SELECT :until::timestamptz AS report_at,
       watched.endpoint,
       min(watched.source) AS source,
       extract(epoch FROM :until::timestamptz - :since::timestamptz)::float8 AS window_s,
       COALESCE(min(probed.probes), 0)::int AS probes,
       COALESCE(min(probed.failures), 0)::int AS failures,
       COALESCE(min(read.requests), 0)::int AS requests,
       COALESCE(min(read.met_fault), 0)::int AS met_fault,
       COALESCE(min(read.healed_requests), 0)::int AS healed_requests,
       COALESCE(min(read.reader_errors), 0)::int AS reader_errors,
       COALESCE(min(ill.incidents), 0)::int AS incidents,
       1 - min(probed.failures)::float8 / NULLIF(min(probed.probes), 0) AS uptime,
       min(read.reader_errors)::float8 / NULLIF(min(read.requests), 0) AS error_rate,
       min(read.healed_requests)::float8 / NULLIF(min(read.met_fault), 0) AS healing_rate,
       COALESCE(min(read.seconds[1]), min(probed.seconds[1])) AS p50_s,
       COALESCE(min(read.seconds[2]), min(probed.seconds[2])) AS p95_s,
       COALESCE(min(route.fidelity::text), min(newest.fidelity)) AS fidelity_now,
       COALESCE(min(ill.state), 'healthy') AS state,
       min(route.strategy) AS active_strategy
  FROM watched
  LEFT JOIN probed USING (endpoint)
  LEFT JOIN read USING (endpoint)
  LEFT JOIN ill USING (endpoint)
  LEFT JOIN route ON route.endpoint = watched.endpoint AND route.withdrawn_at IS NULL
  -- Found by the index: sorting a day of answers for it takes longer than all the rest.
  LEFT JOIN LATERAL (
       SELECT fidelity::text
         FROM answer
        WHERE answer.endpoint = watched.endpoint AND NOT failed AND at >= :since AND at < :until
        ORDER BY at DESC
        LIMIT 1) AS newest ON true
 GROUP BY watched.endpoint
 ORDER BY watched.endpoint;

-- name: long_health(since, until)
-- Health by endpoint from quarters of an hour that were folded, for windows whose facts are too many
-- to be read one by one. Percentiles cannot be had from those of quarters.
WITH seen AS (
    SELECT endpoint, min(source) AS source, sum(requests) AS requests, sum(met_fault) AS met_fault,
           sum(healed) AS healed_requests, sum(reader_errors) AS reader_errors,
           sum(probes) AS probes, sum(failures) AS failures
      FROM health_in(:since, :until)
     GROUP BY endpoint
), ill AS (
    SELECT endpoint, min(source) AS source, count(*) AS incidents,
           (array_agg(state::text ORDER BY id DESC) FILTER (WHERE state <> 'resolved'))[1] AS state
      FROM incident
     WHERE began_at < :until AND (resolved_at IS NULL OR resolved_at >= :since)
     GROUP BY endpoint
), watched AS (
    SELECT endpoint, source FROM probe_schedule
    UNION SELECT endpoint, source FROM seen
    UNION SELECT endpoint, source FROM ill
)
SELECT watched.source, watched.endpoint, COALESCE(ill.state, 'healthy') AS state,
       1 - failures::float8 / NULLIF(probes, 0) AS uptime,
       reader_errors::float8 / NULLIF(requests, 0) AS error_rate,
       healed_requests::float8 / NULLIF(met_fault, 0) AS healing_rate,
       COALESCE(probes, 0) AS probes, COALESCE(failures, 0) AS failures,
       COALESCE(requests, 0) AS requests, COALESCE(met_fault, 0) AS met_fault,
       COALESCE(healed_requests, 0) AS healed_requests,
       COALESCE(reader_errors, 0) AS reader_errors, COALESCE(incidents, 0) AS incidents,
       route.strategy AS active_strategy,
       COALESCE(route.fidelity::text, newest.fidelity) AS fidelity_now
  FROM watched
  LEFT JOIN seen USING (endpoint)
  LEFT JOIN ill USING (endpoint)
  LEFT JOIN route ON route.endpoint = watched.endpoint AND route.withdrawn_at IS NULL
  LEFT JOIN LATERAL (
       SELECT fidelity::text
         FROM answer
        WHERE answer.endpoint = watched.endpoint AND NOT failed AND at >= :since AND at < :until
        ORDER BY at DESC
        LIMIT 1) AS newest ON true
 ORDER BY watched.endpoint;

-- name: save_health_row(report_at, endpoint, source, window_s, probes, failures, requests, met_fault, healed_requests, reader_errors, incidents, uptime, error_rate, healing_rate, p50_s, p95_s, fidelity_now, state, active_strategy)*!
-- The same report again takes the place of the first.
INSERT INTO health_report (
    report_at, endpoint, source, window_s, probes, failures, requests, met_fault, healed_requests,
    reader_errors, incidents, uptime, error_rate, healing_rate, p50_s, p95_s, fidelity_now, state,
    active_strategy)
VALUES (
    :report_at, :endpoint, :source, :window_s, :probes, :failures, :requests, :met_fault,
    :healed_requests, :reader_errors, :incidents, :uptime, :error_rate, :healing_rate, :p50_s,
    :p95_s, :fidelity_now, :state, :active_strategy)
ON CONFLICT (report_at, endpoint) DO UPDATE
   SET source = EXCLUDED.source, window_s = EXCLUDED.window_s, probes = EXCLUDED.probes,
       failures = EXCLUDED.failures, requests = EXCLUDED.requests,
       met_fault = EXCLUDED.met_fault, healed_requests = EXCLUDED.healed_requests,
       reader_errors = EXCLUDED.reader_errors, incidents = EXCLUDED.incidents,
       uptime = EXCLUDED.uptime, error_rate = EXCLUDED.error_rate,
       healing_rate = EXCLUDED.healing_rate, p50_s = EXCLUDED.p50_s, p95_s = EXCLUDED.p95_s,
       fidelity_now = EXCLUDED.fidelity_now, state = EXCLUDED.state,
       active_strategy = EXCLUDED.active_strategy;

-- name: latest_health_report()
-- Empty: no report was made yet.
SELECT * FROM health_report
 WHERE report_at = (SELECT max(report_at) FROM health_report)
 ORDER BY endpoint;

-- name: counts()^
-- Rows by table.
SELECT (SELECT count(*) FROM attempt) AS attempt,
       (SELECT count(*) FROM answer) AS answer,
       (SELECT count(*) FROM probe_result) AS probe_result,
       (SELECT count(*) FROM incident) AS incident,
       (SELECT count(*) FROM incident_event) AS incident_event,
       (SELECT count(*) FROM route) AS route,
       (SELECT count(*) FROM snapshot) AS snapshot,
       (SELECT count(*) FROM alert) AS alert;

-- name: summary_by_class(since, until)
-- What readers' first attempts met, and how often they got data all the same.
SELECT failure_class,
       count(*) AS met,
       count(*) FILTER (WHERE NOT failed) AS healed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median_s
  FROM answer
 WHERE at >= :since AND at < :until AND failure_class <> 'ok'
 GROUP BY failure_class
 ORDER BY met DESC, failure_class;

-- name: summary_by_strategy(since, until)
-- Against each failure class: how often a strategy was tried, and how often it gave the answer.
-- `met` and the seconds are those of the attempts of that strategy, not of whole requests.
SELECT answer.failure_class, attempt.strategy,
       count(*) AS met,
       count(*) FILTER (WHERE attempt.healed) AS healed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY attempt.seconds) AS median_s
  FROM answer
  JOIN attempt USING (request_id)
 WHERE answer.at >= :since AND answer.at < :until
   AND answer.failure_class <> 'ok' AND attempt.strategy <> 'plain'
 GROUP BY answer.failure_class, attempt.strategy
 ORDER BY answer.failure_class, healed DESC, attempt.strategy;
