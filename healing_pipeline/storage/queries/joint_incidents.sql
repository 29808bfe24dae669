-- Incidents as people count them: one root cause over one endpoint or many.

-- name: joint_incidents(before_id, limit)
-- The newest first. Empty: there were none, or all are shown.
SELECT * FROM joint_incident
 WHERE (:before_id::bigint IS NULL OR id < :before_id)
 ORDER BY id DESC
 LIMIT :limit;

-- name: open_joint_incidents()
-- Those of which a member is not resolved, the oldest first. Empty: all is well.
SELECT * FROM joint_incident
 WHERE id IN (SELECT COALESCE(parent_id, id) FROM incident WHERE state <> 'resolved')
 ORDER BY id;

-- name: joint_incidents_since(since, limit)
-- Those of which a member was open at or after `since`, the newest first.
SELECT * FROM joint_incident
 WHERE id IN (SELECT COALESCE(parent_id, id) FROM incident
               WHERE resolved_at IS NULL OR resolved_at >= :since)
 ORDER BY id DESC
 LIMIT :limit;

-- name: joint_incident_of(incident_id)^
-- The one that an incident belongs to. Returns nothing when there is no such incident.
SELECT * FROM joint_incident
 WHERE id = (SELECT COALESCE(parent_id, id) FROM incident WHERE id = :incident_id);

-- name: members_of(joint_id, limit)
-- The parent and its members, in the order of their numbers. Empty: there is no such incident.
SELECT * FROM incident
 WHERE id = :joint_id OR parent_id = :joint_id
 ORDER BY id
 LIMIT :limit;

-- name: tried_for(joint_id)
-- What heal runs tried for a joint incident and its members, by strategy, in the order in which each
-- was first tried; `evidence` is of the newest. Found by endpoint and time: an incident's id is in no
-- index. Empty: no heal run has tried anything.
SELECT attempt.strategy, count(*)::int AS tries,
       (count(*) FILTER (WHERE attempt.healed))::int AS healed,
       count(DISTINCT attempt.endpoint)::int AS endpoints,
       sum(attempt.upstream_calls)::int AS upstream_calls,
       (array_agg(attempt.failure_class::text ORDER BY attempt.at DESC))[1] AS failure_class,
       (array_agg(attempt.fidelity::text ORDER BY attempt.at DESC)
           FILTER (WHERE attempt.healed))[1] AS fidelity,
       (array_agg(attempt.evidence ORDER BY attempt.at DESC))[1] AS evidence
  FROM incident
  JOIN attempt ON attempt.endpoint = incident.endpoint AND attempt.incident_id = incident.id
              AND attempt.at >= incident.began_at
              AND attempt.at < COALESCE(incident.resolved_at, 'infinity') + interval '30 seconds'
 WHERE incident.id = :joint_id OR incident.parent_id = :joint_id
 GROUP BY attempt.strategy
 ORDER BY min(attempt.at), attempt.strategy;

-- name: plan_for(joint_id)$
-- The plan of the newest heal, as its event holds it. Returns nothing before the first.
SELECT event.detail -> 'plan'
  FROM incident_event AS event
  JOIN incident ON incident.id = event.incident_id
 WHERE (incident.id = :joint_id OR incident.parent_id = :joint_id)
   AND jsonb_typeof(event.detail -> 'plan') = 'array'
 ORDER BY event.id DESC
 LIMIT 1;
