-- Alert groups: one for each root cause that people are told of.

-- name: begin_group(fingerprint, source, root_cause, level, title, body, owners, detail, at)$
-- Returns nothing when one of this fingerprint fires already: another was first. Waits for another
-- that is about to commit one.
INSERT INTO alert_group (fingerprint, source, root_cause, level, title, body, owners, detail, began_at)
VALUES (:fingerprint, :source, :root_cause, :level, :title, :body, :owners, :detail, :at)
ON CONFLICT (fingerprint) WHERE resolved_at IS NULL DO NOTHING
RETURNING id;

-- name: lock_firing(fingerprint)$
-- The group of a fingerprint that fires, held until the end of the transaction.
-- Returns nothing when none does.
SELECT id FROM alert_group WHERE fingerprint = :fingerprint AND resolved_at IS NULL FOR UPDATE;

-- name: source_turn(source)!
-- Let one at a time decide which group speaks of what is wrong with a source, until the end of its
-- transaction: two who knew nothing of each other would begin one for its errors and one for their
-- cause.
SELECT pg_advisory_xact_lock(hashtextextended('healing alerts of ' || :source, 0));

-- name: adopt(group_id, fingerprint, root_cause)!
-- Give a group whose cause nobody knew its cause.
UPDATE alert_group
   SET fingerprint = :fingerprint, root_cause = :root_cause
 WHERE id = :group_id AND resolved_at IS NULL;

-- name: restate(group_id, level, title, body, owners, detail)!
-- Change what is to be said of a group.
UPDATE alert_group
   SET level = :level, title = :title, body = :body, owners = :owners, detail = :detail
 WHERE id = :group_id;

-- name: set_owners(group_id, owners)!
-- Change who is told of a group.
UPDATE alert_group SET owners = :owners WHERE id = :group_id;

-- name: recover_group(group_id, at, detail)!
-- Touches no row when it has recovered already, or is closed.
UPDATE alert_group
   SET recovered_at = GREATEST(began_at, :at::timestamptz), detail = detail || :detail::jsonb
 WHERE id = :group_id AND recovered_at IS NULL AND resolved_at IS NULL;

-- name: refire_group(group_id)!
-- Touches no row when it fires, or is closed.
UPDATE alert_group
   SET recovered_at = NULL
 WHERE id = :group_id AND recovered_at IS NOT NULL AND resolved_at IS NULL;

-- name: resolve_group(group_id, at, detail)!
-- Touches no row when it fires again, or is closed.
UPDATE alert_group
   SET resolved_at = GREATEST(recovered_at, :at::timestamptz), detail = detail || :detail::jsonb
 WHERE id = :group_id AND recovered_at IS NOT NULL AND resolved_at IS NULL;

-- name: add_incident(group_id, incident_id, at)!
-- An incident that fails again after its group was closed goes over to the next one.
-- Touches no row when a group that is not closed speaks of the incident already.
INSERT INTO alert_group_incident AS member (incident_id, group_id, joined_at)
VALUES (:incident_id, :group_id, :at)
ON CONFLICT (incident_id) DO UPDATE
   SET group_id = EXCLUDED.group_id, joined_at = EXCLUDED.joined_at
 WHERE (SELECT resolved_at IS NOT NULL FROM alert_group WHERE alert_group.id = member.group_id);

-- name: groups(ids, is_firing, since, incident_id, most)
-- Groups with what they speak of, the newest first; each condition that is null is none.
-- `ill` are the endpoints of incidents that are neither healed nor resolved.
-- Empty: nothing was told that fits.
SELECT alert_group.*,
       COALESCE(members.endpoints, ARRAY(
           SELECT jsonb_array_elements_text(detail -> 'endpoints')
            WHERE jsonb_typeof(detail -> 'endpoints') = 'array')) AS endpoints,
       COALESCE(members.ill, '{}') AS ill,
       COALESCE(members.incident_ids, '{}') AS incident_ids
  FROM alert_group
  LEFT JOIN LATERAL (
       SELECT array_agg(DISTINCT incident.endpoint ORDER BY incident.endpoint) AS endpoints,
              array_agg(DISTINCT incident.endpoint ORDER BY incident.endpoint)
                  FILTER (WHERE incident.state NOT IN ('healed', 'resolved')) AS ill,
              array_agg(incident.id ORDER BY incident.id) AS incident_ids
         FROM alert_group_incident AS member
         JOIN incident ON incident.id = member.incident_id
        WHERE member.group_id = alert_group.id) AS members ON true
 WHERE (:ids::bigint[] IS NULL OR alert_group.id = ANY (:ids))
   AND (NOT :is_firing::boolean OR resolved_at IS NULL)
   AND (:since::timestamptz IS NULL OR resolved_at IS NULL OR resolved_at >= :since)
   AND (:incident_id::bigint IS NULL OR alert_group.id =
        (SELECT group_id FROM alert_group_incident WHERE incident_id = :incident_id))
 ORDER BY alert_group.id DESC
 LIMIT :most;

-- name: acknowledge(group_id, by, at)!
-- Touches no row when it is acknowledged already, or over.
UPDATE alert_group
   SET acknowledged_at = :at, acknowledged_by = :by
 WHERE id = :group_id AND acknowledged_at IS NULL AND resolved_at IS NULL;

-- name: fired_since(fingerprints, since)
-- How often each fired since a moment. A fingerprint that did not is not in the answer.
SELECT fingerprint, count(*)::int AS times
  FROM alert_group
 WHERE fingerprint = ANY (:fingerprints::text[]) AND began_at >= :since
 GROUP BY fingerprint;
