-- Incidents that nothing healed, with all that people are told of them.

-- name: untold_escalations(incident_id)
-- Those that no group speaks of, or one that was closed; one of them, or all when `incident_id` is
-- null. Our own outage is no incident's fault: those that it ended in are tried again by themselves.
-- `bad_in_a_row` counts failed probes and plain attempts since the last good one. A heal run's own
-- good answer is none: had what it brought stood its checks, the incident would be over.
-- `failed_heals` counts the heals of the incident that failed. `joint_group_id` is the first open
-- group that speaks of another member of its joint incident, null where none does; `scope` what its
-- newest diagnosis says of whom else it concerns.
-- Materialized: what is counted below is dear, and only those that are untold are worth it.
-- Empty: nothing is to be told.
WITH untold AS MATERIALIZED (
    SELECT incident.*
      FROM incident
      LEFT JOIN alert_group_incident AS member ON member.incident_id = incident.id
      LEFT JOIN alert_group ON alert_group.id = member.group_id
     WHERE incident.state = 'escalated'
       AND (:incident_id::bigint IS NULL OR incident.id = :incident_id)
       AND (member.group_id IS NULL OR alert_group.resolved_at IS NOT NULL)
       AND incident.root_cause IS DISTINCT FROM 'our network'
)
SELECT untold.*, COALESCE(heal.note, untold.evidence) AS note,
       COALESCE(heal.detail, '{}') AS detail, seen.bad_in_a_row, heals.failed_heals,
       read.readers, read.readers_without_answer, joint.group_id AS joint_group_id,
       COALESCE(verdict.scope, '{}') AS scope
  FROM untold
 LEFT JOIN LATERAL (
       SELECT note, detail FROM incident_event
        WHERE incident_id = untold.id AND signal = 'heal_failed'
        ORDER BY id DESC
        LIMIT 1) AS heal ON true
 CROSS JOIN LATERAL (
       SELECT max(at) FILTER (WHERE is_good) AS last_good_at
         FROM (SELECT at, failure_class = 'ok' AS is_good FROM probe_result
                WHERE endpoint = untold.endpoint AND at >= untold.began_at
               UNION ALL
               SELECT at, failure_class = 'ok' FROM attempt
                WHERE endpoint = untold.endpoint AND at >= untold.began_at
                  AND strategy = 'plain' AND upstream_calls > 0 AND origin <> 'heal')
              AS observation) AS good
 CROSS JOIN LATERAL (
       SELECT count(*)::int AS bad_in_a_row
         FROM (SELECT at FROM probe_result
                WHERE endpoint = untold.endpoint AND at >= untold.began_at
                  AND failure_class <> 'ok'
               UNION ALL
               SELECT at FROM attempt
                WHERE endpoint = untold.endpoint AND at >= untold.began_at
                  AND failure_class <> 'ok' AND strategy = 'plain' AND upstream_calls > 0)
              AS observation
        WHERE good.last_good_at IS NULL OR at > good.last_good_at) AS seen
 CROSS JOIN LATERAL (
       SELECT count(*)::int AS failed_heals FROM incident_event
        WHERE incident_id = untold.id AND signal = 'heal_failed') AS heals
 CROSS JOIN LATERAL (
       SELECT count(*)::int AS readers, (count(*) FILTER (WHERE failed))::int
              AS readers_without_answer
         FROM answer
        WHERE endpoint = untold.endpoint AND at >= untold.began_at) AS read
 LEFT JOIN LATERAL (
       SELECT min(alert_group.id) AS group_id
         FROM incident AS other
         JOIN alert_group_incident AS member ON member.incident_id = other.id
         JOIN alert_group ON alert_group.id = member.group_id
        WHERE (other.id = COALESCE(untold.parent_id, untold.id)
               OR other.parent_id = COALESCE(untold.parent_id, untold.id))
          AND other.id <> untold.id AND other.source = untold.source
          AND alert_group.resolved_at IS NULL) AS joint ON true
 LEFT JOIN LATERAL (
       SELECT scope FROM diagnosis
        WHERE incident_id = COALESCE(untold.parent_id, untold.id)
        ORDER BY id DESC
        LIMIT 1) AS verdict ON true
 ORDER BY untold.id;
