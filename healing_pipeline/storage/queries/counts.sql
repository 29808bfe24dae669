-- What a drill holds against what it caused.

-- name: fact_ids()
-- Every fact's id. Empty: nothing was stored.
SELECT id::text FROM attempt
UNION ALL SELECT request_id::text FROM answer
UNION ALL SELECT id::text FROM probe_result
UNION ALL SELECT request_id || '/' || decision_no FROM decision;

-- name: incident_counts()^
SELECT (SELECT count(*) FROM incident) AS incidents, (SELECT count(*) FROM alert) AS alerts;
