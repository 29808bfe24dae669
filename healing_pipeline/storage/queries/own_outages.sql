-- Our own connection's outages: told once, however many processes notice.

-- name: begin_own_outage(at, evidence)$
-- Returns nothing when one is open already.
INSERT INTO own_outage (began_at, evidence)
VALUES (:at, :evidence)
ON CONFLICT ((true)) WHERE ended_at IS NULL DO NOTHING
RETURNING id;

-- name: end_own_outage(at)^
-- Returns nothing when none is open: another process was first.
UPDATE own_outage
   SET ended_at = GREATEST(began_at, :at::timestamptz)
 WHERE ended_at IS NULL
RETURNING id, began_at, ended_at, evidence;

-- name: latest_own_outage()^
-- The open one, else the one that began last. Returns nothing when there never was one.
SELECT id, began_at, ended_at, evidence
  FROM own_outage
 ORDER BY ended_at IS NULL DESC, began_at DESC
 LIMIT 1;
