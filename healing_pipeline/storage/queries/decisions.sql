-- One request as it is on record: its end, its choices, its attempts.

-- name: answer_of(request_id)^
-- Nothing: a request that nobody read (a probe, a heal run), one that is not stored yet, or unknown.
SELECT request_id, at, source, endpoint, fidelity::text, strategy, provider, attempts, seconds,
       failure_class::text, failed, as_of
  FROM answer
 WHERE request_id = :request_id;

-- name: decisions_of(request_id)
-- Empty: no plan was made, because nothing failed or a route was followed.
SELECT request_id, decision_no, at, origin, source, endpoint, failure_class::text, policy, budget_s,
       considered, late
  FROM decision
 WHERE request_id = :request_id
 ORDER BY decision_no;

-- name: attempts_of(request_id)
-- Empty: another reader's question brought the answer, or the request is unknown.
SELECT id, request_id, attempt_no, at, origin, source, endpoint, strategy, host, key_name,
       failure_class::text, evidence, healed, fidelity::text, seconds, status, upstream_calls, params,
       late, incident_id, met::text
  FROM attempt
 WHERE request_id = :request_id
 ORDER BY attempt_no, at;

-- name: newest_healed()$
-- Null: no reader's request was healed yet.
SELECT request_id
  FROM answer
 WHERE NOT failed AND failure_class IS NOT NULL
   AND EXISTS (SELECT FROM decision WHERE decision.request_id = answer.request_id)
 ORDER BY at DESC
 LIMIT 1;

-- name: policy_that_begins(prefix)^
-- The policy whose fingerprint begins so. Nothing: it was made for another database.
SELECT version, document
  FROM policy
 WHERE starts_with(fingerprint, :prefix)
 ORDER BY version
 LIMIT 1;
