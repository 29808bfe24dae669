-- What the data path saw: every reader's request is an observation.

-- name: reader_evidence(source, since, until)
-- What readers' plain calls met since a moment, per endpoint: how many failed, and how many were
-- good since the newest failure. What comes after `until` was noted before the clock was
-- set back, and is no news. What they met before our own latest look, or before the endpoint's
-- last incident was resolved, is known already: it would open that incident again.
-- Empty: nobody asked.
WITH known AS (
    SELECT endpoint, max(at) AS until FROM (
        SELECT endpoint, at FROM probe_result
         WHERE source = :source AND at BETWEEN :since AND COALESCE(:until::timestamptz, 'infinity')
        UNION ALL
        SELECT endpoint, resolved_at FROM incident
         WHERE source = :source AND resolved_at BETWEEN :since AND COALESCE(:until::timestamptz, 'infinity')
    ) AS look
     GROUP BY endpoint
), plain AS (
    SELECT endpoint, at, failure_class, evidence, failure_class = 'ok' AS good,
           row_number() OVER (PARTITION BY endpoint ORDER BY at DESC, seq DESC) AS back
      FROM attempt
      LEFT JOIN known USING (endpoint)
     WHERE source = :source AND at BETWEEN :since AND COALESCE(:until::timestamptz, 'infinity')
       AND origin = 'reader' AND strategy = 'plain'
       AND upstream_calls > 0  -- what our own limits kept back says nothing of the upstream
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

-- name: unserved(source, since, until)
-- When a reader of each endpoint last ended without an answer, since a moment.
-- Empty: every reader had one.
SELECT endpoint, max(at) AS at
  FROM answer
 WHERE failed AND source = :source AND at BETWEEN :since AND :until
 GROUP BY endpoint;
