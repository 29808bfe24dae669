-- What keeps people from being told.

-- name: begin_silence(source, endpoint, at, ends_at, reason, by)$
INSERT INTO silence (source, endpoint, begins_at, ends_at, reason, made_by)
VALUES (:source, :endpoint, :at, :ends_at, :reason, :by)
RETURNING id;

-- name: end_silence(silence_id, at)!
-- Touches no row when there is no such silence, or it is over.
UPDATE silence
   SET ends_at = GREATEST(begins_at, :at::timestamptz)
 WHERE id = :silence_id AND ends_at > :at;

-- name: silences_until(at, is_begun)
-- Silences that end after a moment; with `is_begun` those that have begun by then. Empty: none.
SELECT * FROM silence
 WHERE ends_at > :at AND (NOT :is_begun::boolean OR begins_at <= :at)
 ORDER BY id;

-- name: begin_maintenance(source, begins_at, ends_at, reason)$
INSERT INTO maintenance (source, begins_at, ends_at, reason)
VALUES (:source, :begins_at, :ends_at, :reason)
RETURNING id;

-- name: end_maintenance(maintenance_id, at)!
-- End a window early; one that has not begun is taken back.
-- Touches no row when there is no such window, or it is over.
WITH taken_back AS (
    DELETE FROM maintenance WHERE id = :maintenance_id AND begins_at >= :at RETURNING id
), ended AS (
    UPDATE maintenance SET ends_at = :at
     WHERE id = :maintenance_id AND begins_at < :at AND ends_at > :at
    RETURNING id
)
SELECT id FROM taken_back UNION ALL SELECT id FROM ended;

-- name: maintenance_until(at)
-- Windows that end after a moment, those to come too. Empty: none.
SELECT * FROM maintenance WHERE ends_at > :at ORDER BY begins_at, id;
