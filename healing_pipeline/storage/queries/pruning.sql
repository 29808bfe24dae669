-- Taking away what is past its time. Every batch is a transaction of its own, and only the owner of
-- the tables may: see the trigger `refuse_change`.

-- name: take_turn()$
-- False: another process prunes. The turn lasts as long as the connection.
SELECT pg_try_advisory_lock(hashtextextended('healing prune', 0));

-- name: allow_deletes()#
SET LOCAL healing.prune = 'on';

-- name: watermark(kind)^
-- How far back a kind reaches; `until` is null when nothing of it was ever pruned.
SELECT NULLIF(until, '-infinity') AS until, seq, came_late FROM pruned WHERE kind = :kind;

-- name: watermarks()
SELECT kind, NULLIF(until, '-infinity') AS until, came_late FROM pruned ORDER BY kind;

-- name: stop_folds()#
-- Wait for the folds that are under way, and let none begin until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('healing pruning', 0)),
       pg_advisory_xact_lock(hashtextextended('healing health quarters', 0));

-- name: move_watermark(kind, until, now)!
-- Touches no row when it stands there or later already.
UPDATE pruned
   SET until = :until, changed_at = :now, seq = (SELECT COALESCE(max(attempt.seq), 0) FROM attempt)
 WHERE kind = :kind AND until < :until;

-- name: count_late(late)!
UPDATE pruned SET came_late = came_late + :late WHERE kind = 'detail';

-- name: health_folded_until(wanted)$
-- Up to where every quarter of an hour is in the health as it was folded, `wanted` at most. Null:
-- nobody has ever folded any.
SELECT NULLIF(LEAST(health_fold.until, :wanted,
                    (SELECT min(quarter) FROM health_quarter_news
                      WHERE quarter >= pruned.until AND quarter < :wanted)), '-infinity')
  FROM health_fold JOIN pruned ON pruned.kind = 'detail';

-- name: incidents_that_hold(before)
-- Open incidents that began before a moment: the facts of their endpoints stay. Empty: none does.
SELECT id, endpoint, began_at FROM incident
 WHERE state <> 'resolved' AND began_at - interval '1 hour' < :before
 ORDER BY began_at;

-- name: count_attempt(until)$
SELECT count(*) FROM attempt
 WHERE at < :until
   AND NOT EXISTS (SELECT FROM incident
                    WHERE incident.endpoint = attempt.endpoint AND incident.state <> 'resolved'
                      AND attempt.at >= incident.began_at - interval '1 hour');

-- name: oldest_attempt()$
-- Null: there is none.
SELECT min(at) FROM attempt;

-- name: edge_attempt(from_at, until, most)$
-- Where a batch of so many ends. Null: there are fewer.
SELECT at FROM attempt WHERE at >= :from_at AND at < :until ORDER BY at OFFSET :most LIMIT 1;

-- name: delete_attempt(from_at, to_at, seq)^
-- All but the facts of open incidents.
WITH gone AS (
    DELETE FROM attempt
     WHERE at >= :from_at AND at < :to_at
       AND NOT EXISTS (SELECT FROM incident
                        WHERE incident.endpoint = attempt.endpoint AND incident.state <> 'resolved'
                          AND attempt.at >= incident.began_at - interval '1 hour')
    RETURNING seq
)
SELECT count(*) AS removed, count(*) FILTER (WHERE seq > :seq) AS late FROM gone;

-- name: vacuum_attempt()#
-- Room for new rows in the place of the old ones; what it gave back to the disk, it would lock for.
VACUUM (ANALYZE, TRUNCATE false, PARALLEL 0) attempt;

-- name: count_answer(until)$
SELECT count(*) FROM answer
 WHERE at < :until
   AND NOT EXISTS (SELECT FROM incident
                    WHERE incident.endpoint = answer.endpoint AND incident.state <> 'resolved'
                      AND answer.at >= incident.began_at - interval '1 hour');

-- name: oldest_answer()$
-- Null: there is none.
SELECT min(at) FROM answer;

-- name: edge_answer(from_at, until, most)$
-- Where a batch of so many ends. Null: there are fewer.
SELECT at FROM answer WHERE at >= :from_at AND at < :until ORDER BY at OFFSET :most LIMIT 1;

-- name: delete_answer(from_at, to_at)^
-- All but the facts of open incidents.
WITH gone AS (
    DELETE FROM answer
     WHERE at >= :from_at AND at < :to_at
       AND NOT EXISTS (SELECT FROM incident
                        WHERE incident.endpoint = answer.endpoint AND incident.state <> 'resolved'
                          AND answer.at >= incident.began_at - interval '1 hour')
    RETURNING at
)
SELECT count(*) AS removed, 0 AS late FROM gone;

-- name: vacuum_answer()#
-- Room for new rows in the place of the old ones; what it gave back to the disk, it would lock for.
VACUUM (ANALYZE, TRUNCATE false, PARALLEL 0) answer;

-- name: count_probe_result(until)$
SELECT count(*) FROM probe_result
 WHERE at < :until
   AND NOT EXISTS (SELECT FROM incident
                    WHERE incident.endpoint = probe_result.endpoint AND incident.state <> 'resolved'
                      AND probe_result.at >= incident.began_at - interval '1 hour');

-- name: oldest_probe_result()$
-- Null: there is none.
SELECT min(at) FROM probe_result;

-- name: edge_probe_result(from_at, until, most)$
-- Where a batch of so many ends. Null: there are fewer.
SELECT at FROM probe_result WHERE at >= :from_at AND at < :until ORDER BY at OFFSET :most LIMIT 1;

-- name: delete_probe_result(from_at, to_at)^
-- All but the facts of open incidents.
WITH gone AS (
    DELETE FROM probe_result
     WHERE at >= :from_at AND at < :to_at
       AND NOT EXISTS (SELECT FROM incident
                        WHERE incident.endpoint = probe_result.endpoint
                          AND incident.state <> 'resolved'
                          AND probe_result.at >= incident.began_at - interval '1 hour')
    RETURNING at
)
SELECT count(*) AS removed, 0 AS late FROM gone;

-- name: vacuum_probe_result()#
-- Room for new rows in the place of the old ones; what it gave back to the disk, it would lock for.
VACUUM (ANALYZE, TRUNCATE false, PARALLEL 0) probe_result;

-- name: count_decision(until)$
SELECT count(*) FROM decision
 WHERE at < :until
   AND NOT EXISTS (SELECT FROM incident
                    WHERE incident.endpoint = decision.endpoint AND incident.state <> 'resolved'
                      AND decision.at >= incident.began_at - interval '1 hour');

-- name: oldest_decision()$
-- Null: there is none.
SELECT min(at) FROM decision;

-- name: edge_decision(from_at, until, most)$
-- Where a batch of so many ends. Null: there are fewer.
SELECT at FROM decision WHERE at >= :from_at AND at < :until ORDER BY at OFFSET :most LIMIT 1;

-- name: delete_decision(from_at, to_at)^
-- All but the facts of open incidents.
WITH gone AS (
    DELETE FROM decision
     WHERE at >= :from_at AND at < :to_at
       AND NOT EXISTS (SELECT FROM incident
                        WHERE incident.endpoint = decision.endpoint AND incident.state <> 'resolved'
                          AND decision.at >= incident.began_at - interval '1 hour')
    RETURNING at
)
SELECT count(*) AS removed, 0 AS late FROM gone;

-- name: vacuum_decision()#
-- Room for new rows in the place of the old ones; what it gave back to the disk, it would lock for.
VACUUM (ANALYZE, TRUNCATE false, PARALLEL 0) decision;

-- name: first_unsummed(before)$
-- The first day that has hours and no sum. Null: all are summed.
SELECT min(day)
  FROM (SELECT DISTINCT date_bin('1 day', hour, 'epoch') AS day FROM inner_fold
         WHERE hour < :before) AS folded
 WHERE day NOT IN (SELECT day FROM outer_fold);

-- name: has_hours(before)$
SELECT EXISTS (SELECT FROM inner_fold WHERE hour < :before);

-- name: count_inner_knowledge(before)$
SELECT count(*) FROM inner_knowledge WHERE hour < :before;

-- name: delete_inner_knowledge(before, most)!
DELETE FROM inner_knowledge
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM inner_knowledge WHERE hour < :before LIMIT :most));

-- name: count_inner_pair(before)$
SELECT count(*) FROM inner_pair WHERE hour < :before;

-- name: delete_inner_pair(before, most)!
DELETE FROM inner_pair
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM inner_pair WHERE hour < :before LIMIT :most));

-- name: count_inner_parameter(before)$
SELECT count(*) FROM inner_parameter WHERE hour < :before;

-- name: delete_inner_parameter(before, most)!
DELETE FROM inner_parameter
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM inner_parameter WHERE hour < :before LIMIT :most));

-- name: count_inner_observation(before)$
SELECT count(*) FROM inner_observation WHERE hour < :before;

-- name: delete_inner_observation(before, most)!
DELETE FROM inner_observation
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM inner_observation WHERE hour < :before LIMIT :most));

-- name: count_inner_fold(before)$
SELECT count(*) FROM inner_fold WHERE hour < :before;

-- name: delete_inner_fold(before, most)!
DELETE FROM inner_fold
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM inner_fold WHERE hour < :before LIMIT :most));

-- name: count_health_quarter(before)$
SELECT count(*) FROM health_quarter WHERE quarter < :before;

-- name: delete_health_quarter(before, most)!
DELETE FROM health_quarter
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM health_quarter WHERE quarter < :before LIMIT :most));

-- name: count_health_report(before)$
SELECT count(*) FROM health_report WHERE report_at < :before;

-- name: delete_health_report(before, most)!
DELETE FROM health_report
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM health_report WHERE report_at < :before LIMIT :most));

-- name: count_own_outage(before)$
SELECT count(*) FROM own_outage WHERE ended_at < :before;

-- name: delete_own_outage(before, most)!
DELETE FROM own_outage
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM own_outage WHERE ended_at < :before LIMIT :most));

-- name: count_silence(before)$
SELECT count(*) FROM silence WHERE ends_at < :before;

-- name: delete_silence(before, most)!
DELETE FROM silence
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM silence WHERE ends_at < :before LIMIT :most));

-- name: count_maintenance(before)$
SELECT count(*) FROM maintenance WHERE ends_at < :before;

-- name: delete_maintenance(before, most)!
DELETE FROM maintenance
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM maintenance WHERE ends_at < :before LIMIT :most));

-- name: count_second_opinion_budget(before)$
SELECT count(*) FROM second_opinion_budget WHERE day < (:before AT TIME ZONE 'UTC')::date;

-- name: delete_second_opinion_budget(before, most)!
DELETE FROM second_opinion_budget
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM second_opinion_budget
                          WHERE day < (:before AT TIME ZONE 'UTC')::date LIMIT :most));

-- name: count_snapshot(before)$
SELECT count(*) FROM snapshot
 WHERE fetched_at < :before
   AND EXISTS (SELECT FROM snapshot AS newer
                WHERE newer.endpoint = snapshot.endpoint
                  AND newer.fetched_at > snapshot.fetched_at);

-- name: delete_snapshot(before, most)!
-- The newest of an endpoint stays, however old: it is what the next answer is held against.
DELETE FROM snapshot
 WHERE ctid = ANY (ARRAY(
           SELECT snapshot.ctid FROM snapshot
            WHERE fetched_at < :before
              AND EXISTS (SELECT FROM snapshot AS newer
                           WHERE newer.endpoint = snapshot.endpoint
                             AND newer.fetched_at > snapshot.fetched_at)
            LIMIT :most));

-- name: count_key_usage(before)$
SELECT count(*) FROM key_usage
 WHERE window_start < :before
    OR window_kind = 'minute' AND window_start < :before + interval '60 days';

-- name: delete_key_usage(before, most)!
-- Windows that closed long ago; those of minutes are many, and close soon.
DELETE FROM key_usage
 WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM key_usage
            WHERE window_start < :before
               OR window_kind = 'minute' AND window_start < :before + interval '60 days'
            LIMIT :most));

-- name: count_cooldown(before)$
SELECT count(*) FROM cooldown WHERE until < :before AND told_at < :before;

-- name: delete_cooldown(before, most)!
DELETE FROM cooldown
 WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM cooldown WHERE until < :before AND told_at < :before LIMIT :most));

-- name: count_policy(before)$
SELECT count(*) FROM policy
 WHERE made_at < :before
   AND version NOT IN (SELECT version FROM policy_publication ORDER BY id DESC LIMIT 2);

-- name: policies_before(before, most)
-- Policies that neither are in force nor were it last before that. Empty: none is old.
SELECT version FROM policy
 WHERE made_at < :before
   AND version NOT IN (SELECT version FROM policy_publication ORDER BY id DESC LIMIT 2)
 ORDER BY version
 LIMIT :most;

-- name: delete_publications(versions)!
DELETE FROM policy_publication WHERE version = ANY (:versions::bigint[]);

-- name: delete_policies(versions)!
DELETE FROM policy WHERE version = ANY (:versions::bigint[]);

-- name: closed_groups(before, most)
-- Alert groups that were over before a moment, with every message sent or given up. Empty: none.
SELECT id FROM alert_group
 WHERE resolved_at < :before
   AND NOT EXISTS (SELECT FROM alert
                    WHERE alert.group_id = alert_group.id
                      AND (NOT EXISTS (SELECT FROM delivery WHERE alert_id = alert.id)
                           OR EXISTS (SELECT FROM delivery
                                       WHERE alert_id = alert.id AND state = 'pending')))
 ORDER BY id
 LIMIT :most
   FOR UPDATE SKIP LOCKED;

-- name: count_groups(before)$
SELECT count(*) FROM alert_group WHERE resolved_at < :before;

-- name: alerts_of(group_ids)
-- Their messages. Empty: nobody was told.
SELECT id FROM alert WHERE group_id = ANY (:group_ids::bigint[]);

-- name: lone_alerts_before(before, most)
-- Messages of no group that were sent or given up. Empty: none is old.
SELECT id FROM alert
 WHERE group_id IS NULL AND at < :before
   AND EXISTS (SELECT FROM delivery WHERE alert_id = alert.id)
   AND NOT EXISTS (SELECT FROM delivery WHERE alert_id = alert.id AND state = 'pending')
 ORDER BY id
 LIMIT :most;

-- name: delete_recipients(alert_ids)!
DELETE FROM delivery_recipient WHERE alert_id = ANY (:alert_ids::bigint[]);

-- name: delete_deliveries(alert_ids)!
DELETE FROM delivery WHERE alert_id = ANY (:alert_ids::bigint[]);

-- name: delete_alerts(alert_ids)!
DELETE FROM alert WHERE id = ANY (:alert_ids::bigint[]);

-- name: delete_group_members(group_ids)!
DELETE FROM alert_group_incident WHERE group_id = ANY (:group_ids::bigint[]);

-- name: delete_groups(group_ids)!
DELETE FROM alert_group WHERE id = ANY (:group_ids::bigint[]);

-- name: incidents_before(before, most)
-- Incidents that were over before a moment, whole joint incidents only, of which no message speaks
-- any more and to which no route leads. Empty: none.
WITH old AS (
    SELECT parent.id FROM incident AS parent
     WHERE parent.parent_id IS NULL AND parent.resolved_at < :before
       AND NOT EXISTS (
           SELECT FROM incident AS member
            WHERE (member.id = parent.id OR member.parent_id = parent.id)
              AND (member.resolved_at IS NULL OR member.resolved_at >= :before
                   OR EXISTS (SELECT FROM alert WHERE alert.incident_id = member.id)
                   OR EXISTS (SELECT FROM alert_group_incident AS told
                               WHERE told.incident_id = member.id)
                   OR EXISTS (SELECT FROM route
                               WHERE route.incident_id = member.id AND withdrawn_at IS NULL)))
     ORDER BY parent.id
     LIMIT :most
)
SELECT incident.id FROM incident JOIN old ON incident.id = old.id OR incident.parent_id = old.id;

-- name: count_incidents(before)$
SELECT count(*) FROM incident WHERE resolved_at < :before;

-- name: delete_opinions(ids)!
DELETE FROM second_opinion_reply USING second_opinion_call AS call
 WHERE call.id = call_id
   AND (call.incident_id = ANY (:ids::bigint[]) OR call.joint_id = ANY (:ids::bigint[]));

-- name: delete_questions(ids)!
DELETE FROM second_opinion_call
 WHERE incident_id = ANY (:ids::bigint[]) OR joint_id = ANY (:ids::bigint[]);

-- name: delete_diagnoses(ids)!
DELETE FROM diagnosis WHERE incident_id = ANY (:ids::bigint[]);

-- name: delete_routes(ids)!
DELETE FROM route WHERE incident_id = ANY (:ids::bigint[]);

-- name: delete_steps(ids)!
DELETE FROM incident_event WHERE incident_id = ANY (:ids::bigint[]);

-- name: delete_incidents(ids)!
DELETE FROM incident WHERE id = ANY (:ids::bigint[]);
