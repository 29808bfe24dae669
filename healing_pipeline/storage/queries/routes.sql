-- Routes: what an incident left behind for the next reader.

-- name: active_routes()
-- Empty: every reader goes to the primary.
SELECT route.endpoint, route.strategy, route.params, route.fidelity, route.incident_id,
       incident.failure_class
  FROM route
  JOIN incident ON incident.id = route.incident_id
 WHERE route.withdrawn_at IS NULL
 ORDER BY route.endpoint;

-- name: route_turn(endpoint)!
-- Let one worker at a time change the routes of an endpoint; until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('healing route ' || :endpoint, 0));

-- name: add_route(endpoint, strategy, params, fidelity, incident_id, at)$
INSERT INTO route (endpoint, strategy, params, fidelity, incident_id, created_at)
VALUES (:endpoint, :strategy, :params, :fidelity, :incident_id, :at)
RETURNING id;

-- name: withdraw_route(endpoint, at)!
-- Touches no row when the endpoint has no active route.
UPDATE route SET withdrawn_at = :at WHERE endpoint = :endpoint AND withdrawn_at IS NULL;
