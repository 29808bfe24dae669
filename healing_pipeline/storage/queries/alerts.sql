-- The outbox: messages are saved with what caused them and sent afterwards.

-- name: save_alert(at, incident_id, level, title, body, dedupe_key, group_id, kind, source, owners, detail)$
-- Returns nothing when this matter has its message already.
INSERT INTO alert (at, incident_id, level, title, body, dedupe_key, group_id, kind, source, owners,
                   detail)
VALUES (:at, :incident_id, :level, :title, :body, :dedupe_key, :group_id, :kind, :source,
        :owners, :detail)
ON CONFLICT (dedupe_key) DO NOTHING
RETURNING id;

-- name: alerts_since(since, limit)
-- The newest first. Empty: nobody had to be told anything.
SELECT id, at, incident_id, level, title, body, dedupe_key, group_id, kind, source, owners, detail
  FROM alert
 WHERE at >= :since
 ORDER BY at DESC, id DESC
 LIMIT :limit;

-- name: alerts_of_groups(group_ids)
-- Messages about groups, in order. Empty: nobody was told of any.
SELECT id, at, incident_id, level, title, body, dedupe_key, group_id, kind, source, owners, detail
  FROM alert
 WHERE group_id = ANY (:group_ids::bigint[])
 ORDER BY id;

-- name: alerts_of_incident(incident_id)
-- Messages about an incident or about the group that speaks of it, in order. Empty: nobody was told.
SELECT id, at, incident_id, level, title, body, dedupe_key, group_id, kind, source, owners, detail
  FROM alert
 WHERE incident_id = :incident_id
    OR group_id = (SELECT group_id FROM alert_group_incident WHERE incident_id = :incident_id)
 ORDER BY id;

-- name: advised_since(since)
-- What advisories were about, since a moment. Empty: none was given.
SELECT DISTINCT jsonb_array_elements_text(detail -> 'subjects') AS subject
  FROM alert
 WHERE at >= :since AND kind = 'advisory' AND jsonb_typeof(detail -> 'subjects') = 'array';
