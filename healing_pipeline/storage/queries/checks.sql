-- What asset checks and sensors ask.

-- name: newest_settled_event()^
-- The newest event by which an incident was healed, escalated or resolved, and when. Empty before
-- the first.
SELECT id, at FROM incident_event
 WHERE to_state IN ('healed', 'escalated', 'resolved')
 ORDER BY id DESC
 LIMIT 1;

-- name: stored_data()
-- When the newest good data of every endpoint was fetched, the endpoint's own question only.
-- Empty: nothing was read yet.
SELECT endpoint, fetched_at FROM snapshot WHERE request_key = '' ORDER BY endpoint;

-- name: mislabelled(since)$
-- Answers called exact for which nothing was asked upstream: data from the store under a better
-- label than it has.
SELECT count(*) FROM answer WHERE at >= :since AND fidelity = 'exact' AND attempts = 0;
