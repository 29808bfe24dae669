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

-- name: joint_incident_count()$
SELECT count(*)::int FROM incident WHERE parent_id IS NULL;
