-- Folding facts into what was learned, and reading it. A partition is an hour of a source.

-- name: take_turns(from_at, to_at, sources)!
-- Folds of the same days of the same sources take turns until the end of the transaction; always
-- in one order, so that none waits for another in a ring. By the day, because a server keeps a few
-- thousand locks at most.
SELECT pg_advisory_xact_lock(
           hashtextextended('healing fold ' || source || ' ' || extract(epoch FROM day)::bigint, 0))
  FROM (SELECT source, day
          FROM unnest(:sources::text[]) AS source,
               generate_series(date_bin('1 day', :from_at, 'epoch'), :to_at - interval '1 second',
                               interval '1 day') AS day
         ORDER BY source, day) AS turn;

-- name: facts_reach_back_to()$
-- Hours before this one cannot be folded again: their facts are gone, or about to go. It holds to
-- the end of the transaction: whoever prunes waits for that. Null: nothing was ever pruned.
SELECT NULLIF(until, '-infinity')
  FROM pruned, pg_advisory_xact_lock_shared(hashtextextended('healing pruning', 0))
 WHERE kind = 'detail';

-- name: hours_reach_back_to()$
-- Days before this one cannot be summed again: their hours are gone, or about to go. Null: none is.
SELECT NULLIF(until, '-infinity')
  FROM pruned, pg_advisory_xact_lock_shared(hashtextextended('healing pruning', 0))
 WHERE kind = 'inner';

-- name: newest_seq()$
-- How much has arrived. Asked before a fold, so that what arrives meanwhile is seen as late.
SELECT COALESCE(max(seq), 0) FROM attempt;

-- name: take_memory()#
-- A month is sorted in memory rather than on disk; no more of it however much there is.
SET LOCAL work_mem = '64MB';

-- name: prepare_lessons()#
-- Words are compared as bytes: by a language's rules grouping takes twice as long.
CREATE TEMP TABLE IF NOT EXISTS lesson (
    hour timestamptz, source text COLLATE "C", failure_class text COLLATE "C",
    strategy text COLLATE "C", at timestamptz, request_id uuid, attempt_no int, healed boolean,
    exact boolean, late boolean, ms bigint, waited_s float8) ON COMMIT DELETE ROWS;

-- name: outage_minutes(from_at, to_at)$
-- Of ourselves, with a minute before, as the lessons need them.
SELECT COALESCE(array_agg(minute ORDER BY minute), '{}')
  FROM own_outage_minutes(:from_at - interval '1 minute', :to_at);

-- name: gather_lessons(from_at, to_at, sources, outages)!
-- With a minute before, because a pair's first attempt may lie in the hour before; no request lasts
-- longer.
INSERT INTO lesson
SELECT hour, source, failure_class, strategy, at, request_id, attempt_no, healed, exact, late, ms,
       waited_s
  FROM lessons(:from_at - interval '1 minute', :to_at, :sources, :outages);

-- name: measure_lessons()#
-- Without statistics the planner takes the table for nearly empty, and pairs it row by row.
ANALYZE lesson;

-- name: clear_inner_knowledge(from_at, to_at, sources)!
DELETE FROM inner_knowledge
 WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources);

-- name: fold_inner_knowledge(from_at, kept)!
INSERT INTO inner_knowledge (hour, source, failure_class, strategy, tries, healed, exact,
                             late_tries, late_healed, ms, outcomes)
SELECT hour, source, failure_class, strategy, count(*),
       count(*) FILTER (WHERE healed),
       count(*) FILTER (WHERE exact),
       count(*) FILTER (WHERE late),
       count(*) FILTER (WHERE late AND healed),
       sum(ms),
       right(string_agg(CASE WHEN healed THEN '1' ELSE '0' END, ''
                        ORDER BY at, request_id, attempt_no), :kept::int)
  FROM lesson
 WHERE hour >= :from_at
 GROUP BY source, hour, failure_class, strategy;

-- name: clear_inner_pair(from_at, to_at, sources)!
DELETE FROM inner_pair
 WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources);

-- name: fold_inner_pair(from_at)!
INSERT INTO inner_pair (hour, source, failure_class, failed, "then", tries, healed)
SELECT second.hour, second.source, second.failure_class, first.strategy, second.strategy, count(*),
       count(*) FILTER (WHERE second.healed)
  FROM lesson AS first
  JOIN lesson AS second
    ON second.request_id = first.request_id AND first.attempt_no < second.attempt_no
 WHERE NOT first.healed AND second.hour >= :from_at
 GROUP BY second.source, second.hour, second.failure_class, first.strategy, second.strategy;

-- name: clear_inner_parameter(from_at, to_at, sources)!
DELETE FROM inner_parameter
 WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources);

-- name: fold_inner_parameter(from_at)!
INSERT INTO inner_parameter (hour, source, failure_class, strategy, bucket, tries, healed, ms)
SELECT hour, source, failure_class, strategy,
       CASE WHEN waited_s <= 0 THEN '0'
            WHEN waited_s < 0.1 THEN '0-0.1'
            WHEN waited_s < 0.2 THEN '0.1-0.2'
            WHEN waited_s < 0.4 THEN '0.2-0.4'
            WHEN waited_s < 0.8 THEN '0.4-0.8'
            ELSE '0.8+' END AS bucket,
       count(*), count(*) FILTER (WHERE healed), sum(ms)
  FROM lesson
 WHERE hour >= :from_at
 GROUP BY source, hour, failure_class, strategy, bucket;

-- name: clear_inner_observation(from_at, to_at, sources)!
DELETE FROM inner_observation
 WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources);

-- name: fold_inner_observation(from_at, to_at, sources, outages, edges)!
-- `edges` ascend: bucket 0 is below the first, the last one from the last edge on.
INSERT INTO inner_observation (hour, source, endpoint, failure_class, observations, fail_windows,
                               ok_seconds)
SELECT hour, source, endpoint, failure_class, sum(seen), bit_or(windows),
       CASE failure_class
           WHEN 'ok' THEN (
               SELECT array_agg(COALESCE(counted.seen, 0) ORDER BY bucket)
                 FROM generate_series(0, cardinality(:edges::float8[])) AS bucket
                 LEFT JOIN unnest(array_agg(sighted.bucket), array_agg(sighted.seen))
                        AS counted (bucket, seen) USING (bucket))
           ELSE '{}' END
  FROM (SELECT hour, source, endpoint, failure_class, bucket, count(*)::int AS seen,
               bit_or(CASE failure_class WHEN 'ok' THEN 0 ELSE 1 << five_minutes END) AS windows
          FROM (SELECT date_bin('1 hour', at, 'epoch') AS hour, source COLLATE "C" AS source,
                       endpoint COLLATE "C" AS endpoint, failure_class COLLATE "C" AS failure_class,
                       CASE failure_class
                           WHEN 'ok' THEN width_bucket(seconds, :edges::float8[]) END AS bucket,
                       extract(minute FROM at)::int / 5 AS five_minutes
                  FROM sightings(:from_at, :to_at, :sources, :outages)) AS sighting
         GROUP BY hour, source, endpoint, failure_class, bucket) AS sighted
 GROUP BY source, hour, endpoint, failure_class;

-- name: note_folds(from_at, to_at, sources, seq)!
INSERT INTO inner_fold (hour, source, seq)
SELECT hour, source, :seq
  FROM generate_series(:from_at::timestamptz, :to_at - interval '1 hour', interval '1 hour') AS hour,
       unnest(:sources::text[]) AS source
    ON CONFLICT (source, hour) DO UPDATE SET seq = EXCLUDED.seq;

-- name: take_turns_outer(from_at, to_at)!
SELECT pg_advisory_xact_lock(
           hashtextextended('healing fold outer ' || extract(epoch FROM day)::bigint, 0))
  FROM generate_series(:from_at::timestamptz, :to_at - interval '1 day', interval '1 day') AS day;

-- name: clear_outer_knowledge(from_at, to_at)!
DELETE FROM outer_knowledge WHERE day >= :from_at AND day < :to_at;

-- name: fold_outer_knowledge(from_at, to_at)!
INSERT INTO outer_knowledge (day, source, failure_class, strategy, tries, healed, exact, late_tries,
                             late_healed, ms)
SELECT date_bin('1 day', hour, 'epoch') AS day, source, failure_class, strategy, sum(tries),
       sum(healed), sum(exact), sum(late_tries), sum(late_healed), sum(ms)
  FROM inner_knowledge
 WHERE hour >= :from_at AND hour < :to_at
 GROUP BY day, source, failure_class, strategy;

-- name: note_outer_folds(from_at, to_at)!
INSERT INTO outer_fold (day)
SELECT generate_series(:from_at::timestamptz, :to_at - interval '1 day', interval '1 day')
    ON CONFLICT DO NOTHING;

-- name: rows_of(from_at, to_at, sources)^
-- How many rows each table has for partitions.
SELECT (SELECT count(*) FROM inner_knowledge
         WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources)) AS inner_knowledge,
       (SELECT count(*) FROM inner_pair
         WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources)) AS inner_pair,
       (SELECT count(*) FROM inner_parameter
         WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources)) AS inner_parameter,
       (SELECT count(*) FROM inner_observation
         WHERE hour >= :from_at AND hour < :to_at AND source = ANY (:sources)) AS inner_observation;

-- name: outer_count(from_at, to_at)$
SELECT count(*) FROM outer_knowledge WHERE day >= :from_at AND day < :to_at;

-- name: inner_rows(from_at, to_at)
-- Empty: nothing was tried against a failure in that time, or it was not folded yet.
SELECT hour, source, failure_class, strategy, tries, healed, exact, late_tries, late_healed, ms,
       outcomes
  FROM inner_knowledge
 WHERE hour >= :from_at AND hour < :to_at
 ORDER BY hour, source, failure_class COLLATE "C", strategy COLLATE "C";

-- name: pair_rows(from_at, to_at)
SELECT hour, source, failure_class, failed, "then", tries, healed
  FROM inner_pair
 WHERE hour >= :from_at AND hour < :to_at
 ORDER BY hour, source COLLATE "C", failure_class COLLATE "C", failed COLLATE "C",
          "then" COLLATE "C";

-- name: outer_rows(to_at)
-- A day that was not summed yet (today) is summed here from its hours.
SELECT day, source, failure_class, strategy, tries, healed, exact, late_tries, late_healed, ms
  FROM (SELECT * FROM outer_knowledge WHERE day < :to_at
        UNION ALL
        SELECT date_bin('1 day', hour, 'epoch') AS day, source, failure_class, strategy,
               sum(tries)::bigint, sum(healed)::bigint, sum(exact)::bigint,
               sum(late_tries)::bigint, sum(late_healed)::bigint, sum(ms)::bigint
          FROM inner_knowledge
         WHERE hour < :to_at
           AND date_bin('1 day', hour, 'epoch') NOT IN (SELECT day FROM outer_fold)
         GROUP BY day, source, failure_class, strategy) AS known
 ORDER BY day, source COLLATE "C", failure_class COLLATE "C", strategy COLLATE "C";

-- name: healing_days(from_at, to_at)
-- By day: of the readers' requests that met a healable failure, the share that was answered; of the
-- attempts with a strategy, the share that healed; and where the day's last policy stood between no
-- learning and hindsight. Null where there was none; empty: none of all.
WITH asked AS (
    SELECT date_bin('1 day', quarter, 'epoch') AS day,
           sum(healed)::float8 / NULLIF(sum(met_fault), 0) AS healed
      FROM health_in(:from_at, :to_at)
     GROUP BY day
), tried AS (
    SELECT date_bin('1 day', hour, 'epoch') AS day, sum(healed)::float8 / sum(tries) AS first_try
      FROM inner_knowledge
     WHERE hour >= :from_at AND hour < :to_at
     GROUP BY day
), judged AS (
    SELECT DISTINCT ON (date_bin('1 day', as_of, 'epoch'))
           date_bin('1 day', as_of, 'epoch') AS day,
           (value_new - value_floor) / NULLIF(value_ceiling - value_floor, 0) AS headroom
      FROM policy
     WHERE as_of >= :from_at AND as_of < :to_at AND value_ceiling - value_floor > 0.001
     ORDER BY date_bin('1 day', as_of, 'epoch'), as_of DESC
)
SELECT day, asked.healed, tried.first_try, judged.headroom
  FROM asked FULL JOIN tried USING (day) FULL JOIN judged USING (day)
 WHERE COALESCE(asked.healed, tried.first_try, judged.headroom) IS NOT NULL
 ORDER BY day;

-- name: parameter_rows(from_at, to_at)
SELECT * FROM inner_parameter
 WHERE hour >= :from_at AND hour < :to_at
 ORDER BY hour, source COLLATE "C", failure_class COLLATE "C", strategy COLLATE "C",
          bucket COLLATE "C";

-- name: observation_rows(from_at, to_at)
SELECT * FROM inner_observation
 WHERE hour >= :from_at AND hour < :to_at
 ORDER BY hour, source COLLATE "C", endpoint COLLATE "C", failure_class COLLATE "C";

-- name: lesson_rows(from_at, to_at, sources)
-- The attempts themselves, as learning takes them.
SELECT at, request_id::text AS event_id, attempt_no, source, failure_class, strategy, healed,
       seconds, late, exact
  FROM lessons(:from_at, :to_at, :sources,
               ARRAY(SELECT minute
                       FROM own_outage_minutes(date_bin('1 minute', :from_at, 'epoch'), :to_at)))
 ORDER BY at, request_id, attempt_no;

-- name: late_hours(cursor, closed_before, sources)
-- Closed hours with facts that their fold has not seen, with the newest such fact. A fact of an
-- hour's last minute may be the first of a pair in the next one. What comes for hours whose other
-- facts are gone is never folded. Empty: all is folded.
SELECT hour, max(fact.seq) AS seq
  FROM (SELECT attempt.seq, attempt.source, date_bin('1 hour', moment, 'epoch') AS hour
          FROM attempt,
               LATERAL (VALUES (attempt.at), (attempt.at + interval '1 minute')) AS reach (moment)
         WHERE attempt.seq > :cursor AND attempt.source = ANY (:sources)) AS fact
  LEFT JOIN inner_fold USING (source, hour)
 WHERE hour < :closed_before AND hour >= (SELECT until FROM pruned WHERE kind = 'detail')
   AND (inner_fold.seq IS NULL OR inner_fold.seq < fact.seq)
 GROUP BY hour
 ORDER BY hour;

-- name: all_seen_until(cursor, closed_before)$
-- How far a cursor may go: to before the first fact of an hour that is not closed yet.
SELECT COALESCE(min(seq) FILTER (WHERE at >= :closed_before) - 1, max(seq), :cursor)
  FROM attempt
 WHERE seq > :cursor;

-- name: first_unfolded(since, before, sources)$
-- The first hour with facts that their fold has not seen; null when all is folded.
SELECT min(date_bin('1 hour', at, 'epoch'))
  FROM attempt
 WHERE at >= GREATEST(:since, (SELECT until FROM pruned WHERE kind = 'detail'))
   AND at < :before AND source = ANY (:sources)
   AND NOT EXISTS (
           SELECT FROM inner_fold
            WHERE inner_fold.source = attempt.source
              AND inner_fold.hour = date_bin('1 hour', attempt.at, 'epoch')
              AND inner_fold.seq >= attempt.seq);

-- name: unsummed_days(since, before)
-- Days that have folded hours and were never summed.
SELECT DISTINCT date_bin('1 day', hour, 'epoch') AS day
  FROM inner_fold
 WHERE hour >= GREATEST(:since, (SELECT until FROM pruned WHERE kind = 'inner')) AND hour < :before
   AND date_bin('1 day', hour, 'epoch') NOT IN (SELECT day FROM outer_fold)
 ORDER BY day;

-- name: add_maintenance(source, begins_at, ends_at, reason)$
INSERT INTO maintenance (source, begins_at, ends_at, reason)
VALUES (:source, :begins_at, :ends_at, :reason)
RETURNING id;
