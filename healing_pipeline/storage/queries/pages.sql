-- What the pages of one endpoint, one incident and one source show. Long lists come in pages: each
-- query of one takes the key of the last row that was shown and gives what comes after it.

-- name: incidents_before(endpoint, before_id, limit)
-- The newest first; of all endpoints when `endpoint` is null. Empty: there were none.
SELECT * FROM incident
 WHERE (:endpoint::text IS NULL OR endpoint = :endpoint)
   AND (:before_id::bigint IS NULL OR id < :before_id)
 ORDER BY id DESC
 LIMIT :limit;

-- name: incidents_of_ids(ids)
SELECT * FROM incident WHERE id = ANY (:ids::bigint[]) ORDER BY id;

-- name: incidents_between(since, until, limit)
-- Incidents that were open at any moment of [since, until), the newest first.
SELECT * FROM incident
 WHERE began_at < :until AND (resolved_at IS NULL OR resolved_at >= :since)
 ORDER BY id DESC
 LIMIT :limit;

-- name: events_of_incidents(ids)
-- The steps of some incidents, in order.
SELECT id, incident_id, at, signal, from_state, to_state, note, detail, asks_heal
  FROM incident_event
 WHERE incident_id = ANY (:ids::bigint[])
 ORDER BY incident_id, id;

-- name: heal_attempts(incident_id, endpoint, from_at, to_at, limit)
-- What heal runs tried for an incident. Empty: no heal run has tried anything.
SELECT id, request_id, attempt_no, at, origin, source, endpoint, strategy, host, key_name,
       failure_class::text, evidence, healed, fidelity::text, seconds, status, upstream_calls, params,
       late, incident_id, met::text
  FROM attempt
 WHERE endpoint = :endpoint AND at >= :from_at AND at < :to_at AND incident_id = :incident_id
 ORDER BY at, attempt_no
 LIMIT :limit;

-- name: decisions_of_requests(request_ids)
-- Empty: no plan was made for any of them.
SELECT request_id, decision_no, at, origin, source, endpoint, failure_class::text, policy, budget_s,
       considered, late
  FROM decision
 WHERE request_id = ANY (:request_ids::uuid[])
 ORDER BY at, decision_no;

-- name: attempts_before(endpoint, before_at, before_id, limit)
-- What was sent for an endpoint, the newest first. Empty: nothing was, or all is shown.
SELECT id, request_id, attempt_no, at, origin, source, endpoint, strategy, host, key_name,
       failure_class::text, evidence, healed, fidelity::text, seconds, status, upstream_calls, params,
       late, incident_id, met::text
  FROM attempt
 WHERE endpoint = :endpoint
   AND (:before_at::timestamptz IS NULL OR (at, id) < (:before_at, :before_id::uuid))
 ORDER BY at DESC, id DESC
 LIMIT :limit;

-- name: probes_before(endpoint, before_at, before_id, limit)
-- The probes of an endpoint, the newest first. Empty: there were none, or all are shown.
SELECT id, at, source, endpoint, host, key_name, failure_class::text, evidence, seconds, status,
       as_of, confirms
  FROM probe_result
 WHERE endpoint = :endpoint
   AND (:before_at::timestamptz IS NULL OR (at, id) < (:before_at, :before_id::uuid))
 ORDER BY at DESC, id DESC
 LIMIT :limit;

-- name: probes_between(endpoint, from_at, to_at, limit)
-- The newest first.
SELECT id, at, source, endpoint, host, key_name, failure_class::text, evidence, seconds, status,
       as_of, confirms
  FROM probe_result
 WHERE endpoint = :endpoint AND at >= :from_at AND at < :to_at
 ORDER BY at DESC, id DESC
 LIMIT :limit;

-- name: readers_meanwhile(endpoint, from_at, to_at)
-- How readers fared in [from_at, to_at), by what answered them; a null strategy: nothing did.
SELECT CASE WHEN failed THEN NULL ELSE strategy END AS strategy,
       CASE WHEN failed THEN NULL ELSE fidelity::text END AS fidelity,
       count(*) AS requests
  FROM answer
 WHERE endpoint = :endpoint AND at >= :from_at AND at < :to_at
 GROUP BY 1, 2
 ORDER BY count(*) DESC, 1, 2;

-- name: failed_readers(endpoint, from_at, to_at, limit)
-- Readers' requests without an accepted answer, the newest first. Empty: all were answered.
SELECT request_id, at, source, endpoint, fidelity::text, strategy, provider, attempts, seconds,
       failure_class::text, failed, as_of
  FROM answer
 WHERE endpoint = :endpoint AND at >= :from_at AND at < :to_at AND failed
 ORDER BY at DESC
 LIMIT :limit;

-- name: active_route(endpoint)^
-- Nothing: readers go to the primary.
SELECT strategy, fidelity::text, incident_id, created_at
  FROM route
 WHERE endpoint = :endpoint AND withdrawn_at IS NULL;

-- name: deliveries_of(alert_ids)
-- Empty: nobody had to be sent anything, or the messages were not routed yet.
SELECT alert_id, channel, state, tries, next_at, sent_at, error
  FROM delivery
 WHERE alert_id = ANY (:alert_ids::bigint[])
 ORDER BY alert_id, channel;

-- name: closed_group_ids(before_id, limit)
-- Alert groups that are over, the newest first. Empty: none is, or all are shown.
SELECT id
  FROM alert_group
 WHERE resolved_at IS NOT NULL AND (:before_id::bigint IS NULL OR id < :before_id)
 ORDER BY id DESC
 LIMIT :limit;

-- name: lone_alerts(limit)
-- Messages of no group, the newest first: advisories, tests. Empty: there were none.
SELECT id, at, incident_id, level, title, body, dedupe_key, group_id, kind, source, owners, detail
  FROM alert
 WHERE group_id IS NULL
 ORDER BY id DESC
 LIMIT :limit;

-- name: source_letters(since, until)
-- How each quarter of an hour went for the endpoints of a source together, the worst first; letters
-- and rules as in the statement `day` of dashboards.sql. Empty: nobody looked.
SELECT source, (extract(epoch FROM quarter) / 900)::int AS quarter,
       CASE WHEN bool_or(reader_errors > 0 OR unhealed) THEN 'f'
            WHEN bool_or(met_fault > 0 OR failures > 0 OR ill) THEN 'h'
            ELSE 'l' END AS letter
  FROM health_in(:since, :until)
 GROUP BY source, quarter
 ORDER BY source, quarter;

-- name: learning_days(from_at, to_at)
-- By day: of the readers' requests that met a healable failure, the share that was answered; of the
-- attempts with a strategy, the share that healed; and where the day's last policy stood between no
-- learning and hindsight. From what is folded, so that months of it are read at once; what is not
-- folded yet is not in it. Null where there was none; empty: none of all.
WITH asked AS (
    SELECT date_bin('1 day', quarter, 'epoch') AS day,
           sum(healed)::float8 / NULLIF(sum(met_fault), 0) AS healed
      FROM health_quarter
     WHERE quarter >= :from_at AND quarter < :to_at
     GROUP BY day
), tried AS (
    SELECT date_bin('1 day', hour, 'epoch') AS day, sum(healed)::float8 / sum(tries) AS first_try
      FROM inner_knowledge
     WHERE hour >= :from_at AND hour < :to_at
     GROUP BY day
), judged AS (
    SELECT DISTINCT ON (date_bin('1 day', as_of, 'epoch'))
           date_bin('1 day', as_of, 'epoch') AS day,
           (value_new - value_floor) / NULLIF(value_ceiling - value_floor, 0) AS headroom
      FROM policy
     WHERE as_of >= :from_at AND as_of < :to_at AND value_ceiling - value_floor > 0.001
     ORDER BY date_bin('1 day', as_of, 'epoch'), as_of DESC
)
SELECT day, asked.healed, tried.first_try, judged.headroom
  FROM asked FULL JOIN tried USING (day) FULL JOIN judged USING (day)
 WHERE COALESCE(asked.healed, tried.first_try, judged.headroom) IS NOT NULL
 ORDER BY day;

-- name: facts_since()$
-- Attempts, answers and probes from before this moment were pruned. Null: none ever were.
SELECT NULLIF(until, '-infinity') FROM pruned WHERE kind = 'detail';

-- name: readers_of(endpoints, from_at, to_at)^
-- Readers' requests for some endpoints in [from_at, to_at), and those without an answer.
SELECT count(*) AS readers, count(*) FILTER (WHERE failed) AS without_answer
  FROM answer
 WHERE endpoint = ANY (:endpoints::text[]) AND at >= :from_at AND at < :to_at;
