-- The outbox: alerts are saved with what caused them and sent afterwards.

-- name: save_alert(at, incident_id, level, title, body, dedupe_key)$
-- Returns nothing when this matter has its alert already.
INSERT INTO alert (at, incident_id, level, title, body, dedupe_key)
VALUES (:at, :incident_id, :level, :title, :body, :dedupe_key)
ON CONFLICT (dedupe_key) DO NOTHING
RETURNING id;

-- name: alerts_since(since, limit)
-- The newest first. Empty: nobody had to be told anything.
SELECT id, at, incident_id, level, title, body, dedupe_key, sent_at
  FROM alert
 WHERE at >= :since
 ORDER BY at DESC, id DESC
 LIMIT :limit;

-- name: claim_unsent(limit)
-- The oldest unsent alerts, held by the caller's transaction: another sender takes others.
-- Empty: all are sent, or others have them.
SELECT id, at, incident_id, level, title, body, dedupe_key, sent_at
  FROM alert
 WHERE sent_at IS NULL
 ORDER BY id
 LIMIT :limit
   FOR UPDATE SKIP LOCKED;

-- name: mark_sent(alert_id, at)!
-- Touches no row when it went out before.
UPDATE alert SET sent_at = :at WHERE id = :alert_id AND sent_at IS NULL;
