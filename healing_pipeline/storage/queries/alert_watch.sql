-- What the rules of alerts look at besides errors: how the incidents of groups fare, who looks, how
-- often is healed, who is served by fallback.

-- name: evaluation_turn()$
-- False: another process is evaluating.
SELECT pg_try_advisory_xact_lock(hashtextextended('healing alerting', 0));

-- name: note_evaluation(now)!
-- Written every now and then, not each second. Touches no row when it was a moment ago.
INSERT INTO alert_evaluation (evaluated_at) VALUES (:now)
ON CONFLICT (only_one) DO UPDATE SET evaluated_at = EXCLUDED.evaluated_at
 WHERE alert_evaluation.evaluated_at
       NOT BETWEEN EXCLUDED.evaluated_at - interval '10 seconds' AND EXCLUDED.evaluated_at;

-- name: evaluated_at()$
-- Returns nothing when nobody ever did.
SELECT evaluated_at FROM alert_evaluation;

-- name: hold_group(group_id)$
-- Returns nothing when somebody else has it in hand: it is seen to the next time.
SELECT id FROM alert_group WHERE id = :group_id FOR UPDATE SKIP LOCKED;

-- name: member_health(group_ids)
-- How the incidents of groups fare. `good_in_a_row` is the least of the endpoints that answer for
-- themselves again, counted from a minute before they did; null where none does.
-- `is_being_healed`: an endpoint of the group has an incident, this or a later one, in a heal.
-- A group without incidents is not in the answer.
WITH member AS (
    SELECT group_id, incident.*
      FROM alert_group_incident JOIN incident ON incident.id = incident_id
     WHERE group_id = ANY (:group_ids::bigint[])
), latest AS (
    SELECT DISTINCT ON (group_id, endpoint) group_id, endpoint, resolved_at
      FROM member
     ORDER BY group_id, endpoint, id DESC
), own AS (
    SELECT latest.group_id, latest.endpoint, seen.good_in_a_row
      FROM latest
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE is_good AND (last_bad_at IS NULL OR at > last_bad_at))::int
                  AS good_in_a_row
             FROM (SELECT at, is_good, max(at) FILTER (WHERE NOT is_good) OVER () AS last_bad_at
                     FROM (SELECT at, failure_class = 'ok' AS is_good FROM probe_result
                            WHERE endpoint = latest.endpoint
                              AND at >= latest.resolved_at - interval '1 minute'
                           UNION ALL
                           SELECT at, failure_class = 'ok' FROM attempt
                            WHERE endpoint = latest.endpoint
                              AND at >= latest.resolved_at - interval '1 minute'
                              AND strategy = 'plain' AND upstream_calls > 0) AS observation
                  ) AS observation) AS seen
     WHERE latest.resolved_at IS NOT NULL
       AND NOT EXISTS (SELECT FROM incident AS later
                        WHERE later.endpoint = latest.endpoint AND later.state <> 'resolved')
)
SELECT member.group_id,
       bool_and(state IN ('healed', 'resolved')) AS is_well,
       max(state_since) AS changed_at,
       min(began_at) AS began_at,
       (count(*) FILTER (WHERE state = 'resolved'))::int AS resolved,
       COALESCE(array_agg(DISTINCT strategy || ' (' || fidelity::text || ')')
                    FILTER (WHERE state = 'healed'), '{}') AS healed_by,
       bool_or(EXISTS (SELECT FROM incident AS later
                        WHERE later.endpoint = member.endpoint
                          AND later.state IN ('open', 'healing'))) AS is_being_healed,
       (SELECT min(good_in_a_row) FROM own WHERE own.group_id = member.group_id) AS good_in_a_row
  FROM member
 GROUP BY member.group_id;

-- name: looked_until()^
-- Since when something has been due, the shortest interval, and the newest probe. While somebody
-- looks, what is due is claimed or put off within moments; a source that is left alone on purpose
-- stays due, but others are probed. All null where nothing is on the schedule, or was ever probed.
SELECT min(next_at) AS due_at, min(interval_s) AS interval_s,
       (SELECT max(at) FROM probe_result) AS probed_at
  FROM probe_schedule;

-- name: waiting_for_heals()
-- Incidents that are in no heal that ends: when each last heard of one, or was detected; and from
-- when on it could have, since nothing is healed while we are cut off. The longest waiting first.
-- Empty: none waits.
SELECT incident.endpoint,
       GREATEST(incident.detected_at, heard.at, (SELECT max(ended_at) FROM own_outage)) AS since
  FROM incident
  LEFT JOIN LATERAL (
       SELECT max(at) AS at FROM incident_event
        WHERE incident_id = incident.id AND signal IN ('heal_failed', 'heal_succeeded')) AS heard
       ON true
 WHERE incident.state IN ('open', 'healing')
 ORDER BY since, incident.endpoint;

-- name: often_healed(since, times)
-- Endpoints that were healed so often since a moment. Empty: none was.
SELECT incident.endpoint, incident.source, count(*)::int AS heals,
       (array_agg(incident.strategy ORDER BY event.id DESC))[1] AS strategy,
       (array_agg(incident.failure_class::text ORDER BY event.id DESC))[1] AS failure_class
  FROM incident
  JOIN incident_event AS event ON event.incident_id = incident.id
 WHERE incident.heals > 0
   AND (incident.resolved_at IS NULL
        OR incident.began_at >= :since::timestamptz - interval '1 day')
   AND event.signal = 'heal_succeeded' AND event.at >= :since
 GROUP BY incident.endpoint, incident.source
HAVING count(*) >= :times
 ORDER BY incident.endpoint;

-- name: long_by_fallback(before)
-- Endpoints whose readers have been served by a route since before a moment. Empty: none.
SELECT route.endpoint, incident.source, route.strategy, route.fidelity::text AS fidelity,
       route.created_at AS since
  FROM route JOIN incident ON incident.id = route.incident_id
 WHERE route.withdrawn_at IS NULL AND route.created_at <= :before
 ORDER BY route.endpoint;
