-- Questions to a language model and what became of them. Both are written once and stay.

-- name: take_turn()$
-- Whoever asks waits for whoever decides so at this moment: a trial is for one of them.
SELECT pg_advisory_xact_lock(hashtext('healing second opinion'));

-- name: recent_calls(service, model, since, limit)
-- The newest first. Empty: nobody asked.
SELECT call.at AS asked_at, reply.at AS ended_at, reply.outcome, reply.retry_after_s
  FROM second_opinion_call AS call
  LEFT JOIN second_opinion_reply AS reply ON reply.call_id = call.id
 WHERE call.service = :service AND call.model = :model AND call.at >= :since
 ORDER BY call.id DESC
 LIMIT :limit;

-- name: was_asked(joint_id, digest, since)$
-- Whether the same was asked about the same incident.
SELECT EXISTS (SELECT FROM second_opinion_call
                WHERE joint_id = :joint_id AND digest = :digest AND at >= :since);

-- name: shared_answer(joint_id, digest, incident_id, since)^
-- What came of the same question for another part of the incident, a moment ago; without an outcome
-- it is under way. Returns nothing when there was none.
SELECT reply.outcome, reply.advice
  FROM second_opinion_call AS call
  LEFT JOIN second_opinion_reply AS reply ON reply.call_id = call.id
 WHERE call.joint_id = :joint_id AND call.digest = :digest AND call.incident_id <> :incident_id
   AND call.at >= :since
 ORDER BY call.id DESC
 LIMIT 1;

-- name: reserve(day, budget_usd, most_usd)$
-- Set a day's dollars aside. Returns nothing when so much is not left.
INSERT INTO second_opinion_budget AS budget (day, committed_usd)
SELECT :day, :most_usd::numeric WHERE :most_usd::numeric <= :budget_usd::numeric
ON CONFLICT (day) DO UPDATE
   SET committed_usd = budget.committed_usd + EXCLUDED.committed_usd
 WHERE budget.committed_usd + EXCLUDED.committed_usd <= :budget_usd::numeric
RETURNING committed_usd;

-- name: add_call(at, incident_id, joint_id, digest, service, model, because, diagnosis, reserved_usd)$
INSERT INTO second_opinion_call
       (at, incident_id, joint_id, digest, service, model, because, diagnosis, reserved_usd)
VALUES (:at, :incident_id, :joint_id, :digest, :service, :model, :because, :diagnosis,
        :reserved_usd)
RETURNING id;

-- name: settle(call_id, at, outcome, seconds, input_tokens, output_tokens, cache_write_tokens, cache_read_tokens, cost_usd, advice, reason, retry_after_s)$
-- Put an end on record and give back what was set aside too much. Returns nothing when it had one.
WITH settled AS (
    INSERT INTO second_opinion_reply
           (call_id, at, outcome, seconds, input_tokens, output_tokens, cache_write_tokens,
            cache_read_tokens, cost_usd, advice, reason, retry_after_s)
    SELECT id, :at, :outcome, :seconds, :input_tokens, :output_tokens, :cache_write_tokens,
           :cache_read_tokens, COALESCE(:cost_usd::numeric, reserved_usd), :advice::jsonb, :reason,
           :retry_after_s
      FROM second_opinion_call
     WHERE id = :call_id
    ON CONFLICT (call_id) DO NOTHING
    RETURNING call_id, cost_usd
)
UPDATE second_opinion_budget AS budget
   SET committed_usd = GREATEST(
           0, budget.committed_usd - call.reserved_usd + settled.cost_usd)
  FROM settled
  JOIN second_opinion_call AS call ON call.id = settled.call_id
 WHERE budget.day = (call.at AT TIME ZONE 'UTC')::date
RETURNING settled.call_id;

-- name: committed(day)$
-- Returns nothing when nobody asked that day.
SELECT committed_usd FROM second_opinion_budget WHERE day = :day;

-- name: joint_of(incident_id)$
-- The incident as people count it. Returns nothing when there is none of that number.
SELECT COALESCE(parent_id, id) FROM incident WHERE id = :incident_id;

-- name: calls_about(incident_id)
-- Of the incident, of the one that it is a part of, and of its parts; in order. Empty: nobody asked.
SELECT call.id, call.at, call.incident_id, call.service, call.model, call.because,
       call.reserved_usd::float8 AS reserved_usd, reply.outcome, reply.seconds,
       reply.input_tokens, reply.output_tokens, reply.cache_write_tokens, reply.cache_read_tokens,
       reply.cost_usd::float8 AS cost_usd, reply.advice, reply.reason
  FROM second_opinion_call AS call
  LEFT JOIN second_opinion_reply AS reply ON reply.call_id = call.id
 WHERE call.incident_id = :incident_id
    OR call.joint_id = (SELECT COALESCE(parent_id, id) FROM incident WHERE id = :incident_id)
 ORDER BY call.id;

-- name: calls_between(since, until)
-- Each question with what then became of its incident: the first remedy that healed it and held, and
-- what its heal runs had tried by then. Heal runs alone, because readers begin with a route. Only as
-- far back as attempts are kept: an attempt that was pruned would count as one that did not heal.
-- Empty: nobody asked.
SELECT call.id, call.at, call.incident_id, call.service, call.model, call.because,
       call.diagnosis, call.reserved_usd::float8 AS reserved_usd, reply.outcome, reply.seconds,
       reply.cost_usd::float8 AS cost_usd, reply.advice, reply.reason,
       incident.root_cause AS settled_root_cause, healed.strategy AS healed_by,
       COALESCE(tried.strategies, '{}') AS tried
  FROM second_opinion_call AS call
  JOIN incident ON incident.id = call.incident_id
  LEFT JOIN second_opinion_reply AS reply ON reply.call_id = call.id
  LEFT JOIN LATERAL (
       SELECT attempt.strategy, attempt.at
         FROM attempt
        WHERE attempt.endpoint = incident.endpoint AND attempt.incident_id = incident.id
          AND attempt.origin = 'heal' AND attempt.healed
          -- A heal run that asks beside its plan may be through before the question is written.
          AND attempt.at >= call.at - interval '15 seconds'
          AND attempt.at < call.at + interval '30 minutes'
          AND EXISTS (SELECT FROM incident_event AS event
                       WHERE event.incident_id = incident.id
                         AND event.signal IN ('heal_succeeded', 'recovered')
                         AND event.at >= attempt.at
                         AND event.at < attempt.at + interval '1 minute')
        ORDER BY attempt.at, attempt.attempt_no
        LIMIT 1) AS healed ON true
  LEFT JOIN LATERAL (
       SELECT array_agg(attempt.strategy ORDER BY attempt.at, attempt.attempt_no) AS strategies
         FROM attempt
        WHERE attempt.endpoint = incident.endpoint AND attempt.incident_id = incident.id
          AND attempt.origin = 'heal'
          AND attempt.at >= call.at - interval '15 seconds'
          AND attempt.at <= COALESCE(healed.at, call.at + interval '30 seconds')) AS tried ON true
 WHERE call.at >= GREATEST(:since, (SELECT until FROM pruned WHERE kind = 'detail'))
   AND call.at < :until
 ORDER BY call.id;

-- name: failing_besides(incident_id, source, limit)
-- Other open incidents, those of the source first, the newest first. Empty: nothing else fails.
SELECT id AS incident_id, endpoint, source, failure_class::text, evidence, began_at, detected_at
  FROM incident
 WHERE state <> 'resolved' AND id <> :incident_id
 ORDER BY source <> :source, id DESC
 LIMIT :limit;

-- name: latest_calls(endpoint, source, since, limit)
-- The latest calls to a source, the endpoint's own first, then the newest first. Empty: nobody asked.
WITH seen AS (
    (SELECT at, source, endpoint, host, key_name, failure_class::text, evidence, 'probe' AS how
       FROM probe_result
      WHERE source = :source AND at >= :since
      ORDER BY at DESC
      LIMIT 10 * :limit::int)
    UNION ALL
    (SELECT at, source, endpoint, host, key_name, failure_class::text, evidence, strategy
       FROM attempt
      WHERE source = :source AND at >= :since AND host IS NOT NULL
      ORDER BY at DESC
      LIMIT 10 * :limit::int)
)
SELECT at, source, endpoint, host, key_name, failure_class, evidence, how
  FROM seen
 ORDER BY endpoint <> :endpoint, at DESC
 LIMIT :limit;
