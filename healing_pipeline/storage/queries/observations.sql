-- What the data path saw: every reader's request is an observation.

-- name: latest_seq()$
-- The cursor that has everything behind it; 0 when there is nothing.
SELECT COALESCE(max(seq), 0) FROM attempt;

-- name: failed_answers(source, after_seq, until_seq)
-- First attempts of readers that failed, by endpoint and what was tried; the words are those of
-- the newest. `requests` counts the first attempts of the same kind, failed or not.
-- Empty: no reader met a failure in between.
WITH first_attempt AS (
    SELECT seq, at, source, endpoint, strategy, failure_class, evidence
      FROM attempt
     WHERE seq > :after_seq AND seq <= :until_seq
       AND origin = 'reader' AND attempt_no = 1
       AND (:source::text IS NULL OR source = :source)
)
SELECT source, endpoint, strategy,
       count(*) AS requests,
       count(*) FILTER (WHERE failure_class <> 'ok') AS failures,
       (array_agg(failure_class::text ORDER BY at DESC, seq DESC)
           FILTER (WHERE failure_class <> 'ok'))[1] AS failure_class,
       (array_agg(evidence ORDER BY at DESC, seq DESC)
           FILTER (WHERE failure_class <> 'ok'))[1] AS evidence,
       min(at) FILTER (WHERE failure_class <> 'ok') AS first_at,
       max(at) FILTER (WHERE failure_class <> 'ok') AS last_at,
       max(at) FILTER (WHERE failure_class = 'ok') AS last_ok_at
  FROM first_attempt
 GROUP BY source, endpoint, strategy
HAVING count(*) FILTER (WHERE failure_class <> 'ok') > 0
 ORDER BY max(at) FILTER (WHERE failure_class <> 'ok'), endpoint, strategy;

-- name: reader_evidence(source, since)
-- What readers' plain calls met since a moment, per endpoint: how many failed, and how many were
-- good since the newest failure. What they met before our own latest look, or before the endpoint's
-- last incident was resolved, is known already: it would open that incident again.
-- Empty: nobody asked.
WITH known AS (
    SELECT endpoint, max(at) AS until FROM (
        SELECT endpoint, at FROM probe_result WHERE source = :source AND at >= :since
        UNION ALL
        SELECT endpoint, resolved_at FROM incident WHERE source = :source AND resolved_at >= :since
    ) AS look
     GROUP BY endpoint
), plain AS (
    SELECT endpoint, at, failure_class, evidence, failure_class = 'ok' AS good,
           row_number() OVER (PARTITION BY endpoint ORDER BY at DESC, seq DESC) AS back
      FROM attempt
      LEFT JOIN known USING (endpoint)
     WHERE source = :source AND at >= :since AND origin = 'reader' AND strategy = 'plain'
       AND (known.until IS NULL OR at > known.until)
), last_bad AS (
    SELECT DISTINCT ON (endpoint) endpoint, back, failure_class::text, evidence
      FROM plain
     WHERE NOT good
     ORDER BY endpoint, back
)
SELECT plain.endpoint,
       count(*) FILTER (WHERE NOT good) AS failures,
       count(*) FILTER (WHERE good AND (last_bad.back IS NULL OR plain.back < last_bad.back))
           AS good_since,
       min(at) FILTER (WHERE NOT good) AS first_at,
       COALESCE(min(last_bad.failure_class), 'ok') AS failure_class,
       COALESCE(min(last_bad.evidence), '') AS evidence
  FROM plain
  LEFT JOIN last_bad USING (endpoint)
 GROUP BY plain.endpoint
 ORDER BY plain.endpoint;
