-- What a drill holds against what it caused.

-- name: fact_ids()
-- Every fact's id. Empty: nothing was stored.
SELECT id::text FROM attempt
UNION ALL SELECT request_id::text FROM answer
UNION ALL SELECT id::text FROM probe_result
UNION ALL SELECT request_id || '/' || decision_no FROM decision;

-- name: probe_results()
-- What every probe found, in order. Empty: nobody probed.
SELECT id, at, source, endpoint, host, key_name, failure_class::text, evidence, seconds, status,
       as_of, confirms
  FROM probe_result
 ORDER BY at, id;

-- name: probed_sources()
-- Sources that were probed at all. Empty: nobody probed.
SELECT DISTINCT source FROM probe_result ORDER BY source;

-- name: waiting_for_a_heal()$
-- Incidents that a heal run was asked for and has not ended for.
SELECT count(*) FROM incident
 WHERE state = 'healing'
    OR (state = 'open' AND EXISTS (SELECT FROM incident_event AS event
                                    WHERE event.incident_id = incident.id AND event.asks_heal));

-- name: is_over()$
-- Whether there was an incident, and none is open any more.
SELECT EXISTS (SELECT FROM incident) AND NOT EXISTS (SELECT FROM incident WHERE state <> 'resolved');
