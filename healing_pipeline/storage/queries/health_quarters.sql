-- Health by quarter of an hour.

-- name: fold_turn()$
-- False: another process is folding.
SELECT pg_try_advisory_xact_lock(hashtextextended('healing health quarters', 0));

-- name: has_news(closed)$
-- Whether a quarter before `closed` has to be folded.
SELECT (SELECT until FROM health_fold) < :closed::timestamptz
       OR EXISTS (SELECT FROM health_quarter_news WHERE quarter < :closed);

-- name: note_closed(closed)!
-- Quarters in which nothing happened end too: an incident may have stood open all through one.
WITH moved AS (
    UPDATE health_fold SET until = :closed::timestamptz
      FROM (SELECT until AS was FROM health_fold) AS before
     WHERE until < :closed
    RETURNING was
)
INSERT INTO health_quarter_news (quarter)
SELECT generate_series(was, :closed::timestamptz - interval '15 minutes', interval '15 minutes')
  FROM moved
 WHERE was > '-infinity';

-- name: take_news(closed, most)
-- The newest quarters to fold, no longer news with this.
WITH taken AS (
    DELETE FROM health_quarter_news
     WHERE quarter IN (SELECT DISTINCT quarter
                         FROM health_quarter_news
                        WHERE quarter < :closed
                        ORDER BY quarter DESC
                        LIMIT :most)
    RETURNING quarter
)
SELECT DISTINCT quarter FROM taken ORDER BY quarter;

-- name: facts_reach_back_to()$
-- Quarters before this one cannot be folded again: their facts are gone, or about to go. Whoever
-- prunes takes the turn of folds, so that it holds to the end of the transaction. Null: none is.
SELECT NULLIF(until, '-infinity') FROM pruned WHERE kind = 'detail';

-- name: forget_quarters(quarters)!
DELETE FROM health_quarter WHERE quarter = ANY (:quarters);

-- name: fold(quarters)!
INSERT INTO health_quarter
SELECT part.*
  FROM unnest(:quarters::timestamptz[]) AS folded
 CROSS JOIN LATERAL health_from_facts(folded, folded + interval '15 minutes') AS part;

-- name: quarters_of_endpoint(endpoint, since, until)
-- Empty: nobody looked.
SELECT * FROM health_in(:since, :until) WHERE endpoint = :endpoint ORDER BY quarter;

-- name: totals_by_endpoint(since, until)
-- Empty: nobody looked at any.
SELECT endpoint, min(source) AS source,
       sum(requests) AS requests, sum(met_fault) AS met_fault, sum(healed) AS healed,
       sum(reader_errors) AS reader_errors, sum(probes) AS probes, sum(failures) AS failures,
       sum(waited_s) AS waited_s, max(p95_s) AS worst_p95_s
  FROM health_in(:since, :until)
 GROUP BY endpoint
 ORDER BY endpoint;

-- name: totals_by_source(since, until)
-- Empty: nobody looked at any.
SELECT NULL AS endpoint, source,
       sum(requests) AS requests, sum(met_fault) AS met_fault, sum(healed) AS healed,
       sum(reader_errors) AS reader_errors, sum(probes) AS probes, sum(failures) AS failures,
       sum(waited_s) AS waited_s, max(p95_s) AS worst_p95_s
  FROM health_in(:since, :until)
 GROUP BY source
 ORDER BY source;
