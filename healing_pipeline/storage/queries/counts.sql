-- What a drill holds against what it caused.

-- name: fact_ids()
-- Every fact's id. Empty: nothing was stored.
SELECT id FROM attempt
UNION ALL SELECT request_id FROM answer
UNION ALL SELECT id FROM probe_result;

-- name: incident_counts()^
SELECT (SELECT count(*) FROM incident) AS incidents, (SELECT count(*) FROM alert) AS alerts;
