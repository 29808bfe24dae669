-- Taking away what Dagster keeps for ever: old runs, and what old runs said on their way. Its tables
-- are in its own database or schema. They may hold runs and ticks of a project that ours is part of:
-- what is not ours, and does not ask for it, is left alone.

-- name: has_tables()$
-- False: Dagster has not run here yet.
SELECT to_regclass('runs') IS NOT NULL AND to_regclass('event_logs') IS NOT NULL;

-- name: count_runs(before)$
SELECT count(*)
  FROM runs
 WHERE create_timestamp < :before AND status IN ('SUCCESS', 'FAILURE', 'CANCELED')
   AND EXISTS (SELECT FROM run_tags AS tag
                WHERE tag.run_id = runs.run_id AND tag.key = 'healing/retention'
                  AND tag.value = 'short');

-- name: runs_that_show()
-- Runs by which an asset or a check is shown as it stands now. Empty: none was ever materialised.
SELECT last_run_id AS run_id FROM asset_keys WHERE last_run_id IS NOT NULL
UNION
SELECT run_id FROM asset_check_executions
 WHERE id IN (SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name, partition);

-- name: old_runs(before, shown, after_id, most)
-- Runs that may go whole: ended, of a job that says so, and of no partition, whose status would go
-- with them. Empty: none is old.
SELECT id, run_id
  FROM runs
 WHERE create_timestamp < :before AND status IN ('SUCCESS', 'FAILURE', 'CANCELED')
   AND id > :after_id AND run_id <> ALL (:shown::text[])
   AND EXISTS (SELECT FROM run_tags AS tag
                WHERE tag.run_id = runs.run_id AND tag.key = 'healing/retention'
                  AND tag.value = 'short')
   AND NOT EXISTS (SELECT FROM event_logs AS event
                    WHERE event.run_id = runs.run_id AND event.partition IS NOT NULL)
 ORDER BY id
 LIMIT :most;

-- name: delete_event_tags(run_ids)!
DELETE FROM asset_event_tags
 WHERE event_id IN (SELECT id FROM event_logs WHERE run_id = ANY (:run_ids::text[]));

-- name: delete_events(run_ids)!
DELETE FROM event_logs WHERE run_id = ANY (:run_ids::text[]);

-- name: delete_checks(run_ids)!
DELETE FROM asset_check_executions WHERE run_id = ANY (:run_ids::text[]);

-- name: delete_runs(run_ids)!
-- Their tags go with them.
DELETE FROM runs WHERE run_id = ANY (:run_ids::text[]);

-- name: runs_between(since, before, after_id, most, jobs, assets)
-- Ended runs of a time, in order, that are of our jobs or about our assets alone. `since` is null for
-- all before. Empty: none is left.
SELECT id, run_id
  FROM runs
 WHERE create_timestamp < :before
   AND (:since::timestamp IS NULL OR create_timestamp >= :since)
   AND status IN ('SUCCESS', 'FAILURE', 'CANCELED') AND id > :after_id
   AND (pipeline_name = ANY (:jobs::text[])
        OR COALESCE((SELECT bool_and(event.asset_key = ANY (:assets::text[]))
                       FROM event_logs AS event
                      WHERE event.run_id = runs.run_id AND event.asset_key IS NOT NULL), false))
 ORDER BY id
 LIMIT :most;

-- name: delete_talk(run_ids)!
-- What runs said on their way: steps, log lines. What became of assets, checks and of the run stays.
DELETE FROM event_logs
 WHERE run_id = ANY (:run_ids::text[]) AND asset_key IS NULL
   AND COALESCE(dagster_event_type, '') NOT LIKE 'ASSET\_%%'
   AND COALESCE(dagster_event_type, '') NOT LIKE 'PIPELINE\_%%';

-- name: delete_ticks(before, most, named)!
-- Ticks of our sensors and schedules that are no more: Dagster bounds those of the others by itself.
-- The newest of each stays, by which a schedule knows what it has missed.
DELETE FROM job_ticks
 WHERE id = ANY (ARRAY(
           SELECT id FROM job_ticks
            WHERE timestamp < :before
              AND substring(tick_body FROM '"job_name": "([^"]+)"') ~ :named
              AND id NOT IN (SELECT max(id) FROM job_ticks GROUP BY selector_id, job_origin_id)
            ORDER BY id
            LIMIT :most));

-- name: vacuum_events()#
VACUUM (ANALYZE, TRUNCATE false, PARALLEL 0) event_logs;
