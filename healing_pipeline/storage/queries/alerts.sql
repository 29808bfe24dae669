-- The outbox: alerts are saved with what caused them and sent afterwards.

-- name: save_alert(at, incident_id, level, title, body, dedupe_key)$
-- Returns nothing when this matter has its alert already.
INSERT INTO alert (at, incident_id, level, title, body, dedupe_key)
VALUES (:at, :incident_id, :level, :title, :body, :dedupe_key)
ON CONFLICT (dedupe_key) DO NOTHING
RETURNING id;

-- name: alerts_since(since, limit)
-- The newest first. Empty: nobody had to be told anything.
SELECT id, at, incident_id, level, title, body, dedupe_key
  FROM alert
 WHERE at >= :since
 ORDER BY at DESC, id DESC
 LIMIT :limit;
