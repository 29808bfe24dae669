-- What runs of Dagster's failed to do, and what has become of it.

-- name: take_turn()$
-- Whoever tells of a failure or of its end is alone until its transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('healing dagster_failure', 0));

-- name: subjects_of_run(run_id)
-- What is told of a run. Empty: nobody has told of it.
SELECT subject, fingerprint, recovered_at FROM dagster_failure WHERE run_id = :run_id;

-- name: runs_told(run_ids)
-- Which of these runs are told of. Empty: none.
SELECT DISTINCT run_id FROM dagster_failure WHERE run_id = ANY (:run_ids::text[]);

-- name: begun_by_run(run_id)$
-- The fingerprint of a group that speaks of this run first. Returns nothing when no message does:
-- a group that fired before says nothing of what this run failed to do besides.
SELECT fingerprint
  FROM dagster_failure AS own
 WHERE run_id = :run_id AND recovered_at IS NULL
   AND NOT EXISTS (
       SELECT FROM dagster_failure AS other
        WHERE other.fingerprint = own.fingerprint AND other.recovered_at IS NULL
          AND other.run_id <> own.run_id AND other.failed_at <= own.failed_at)
 ORDER BY failed_at, subject
 LIMIT 1;

-- name: standing_fingerprints(since)
-- Of failures that stand, with whether they began at or after a moment. Empty: all is well.
SELECT fingerprint, min(failed_at) >= :since AS is_new
  FROM dagster_failure
 WHERE recovered_at IS NULL
 GROUP BY fingerprint;

-- name: add_failure(run_id, subject, job, partition, fingerprint, at)!
-- Touches no row when it is told of already.
INSERT INTO dagster_failure (run_id, subject, job, partition, fingerprint, failed_at)
VALUES (:run_id, :subject, :job, :partition, :fingerprint, :at)
ON CONFLICT DO NOTHING;

-- name: is_standing(subject, partition)$
-- Returns nothing when there is nothing to recover from, which is the rule.
SELECT true
  FROM dagster_failure
 WHERE subject = :subject AND partition IS NOT DISTINCT FROM :partition AND recovered_at IS NULL
 LIMIT 1;

-- name: recover_failures(subject, partition, at)
-- The fingerprints that told of it. Empty: another was first.
UPDATE dagster_failure
   SET recovered_at = GREATEST(failed_at, :at::timestamptz)
 WHERE subject = :subject AND partition IS NOT DISTINCT FROM :partition AND recovered_at IS NULL
RETURNING fingerprint;

-- name: count_standing(fingerprint)$
SELECT count(*)::int FROM dagster_failure WHERE fingerprint = :fingerprint AND recovered_at IS NULL;

-- name: standing(most)
-- What was not done since, the oldest first. Empty: all is well.
SELECT run_id, subject, job, partition, fingerprint, failed_at
  FROM dagster_failure
 WHERE recovered_at IS NULL
 ORDER BY failed_at
 LIMIT :most;

-- name: prune_failures(before)!
DELETE FROM dagster_failure WHERE recovered_at < :before;
