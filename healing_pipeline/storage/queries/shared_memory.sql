-- What one process takes over from the others: news about snapshots and about spent quotas. Routes
-- are in routes.sql, the snapshots themselves in snapshots.sql.

-- name: snapshot_news(newer_than)
-- Which questions have a snapshot fetched after a moment, and when. Empty: nothing new.
-- The bodies are left out: most of them are the asking process's own.
SELECT endpoint, request_key, fetched_at
  FROM snapshot
 WHERE fetched_at > :newer_than::timestamptz;

-- name: key_calls(sources, day, month)
-- Calls that were made with each key of some sources since the begin of the UTC day and month, and
-- how many of them were probes'. Empty: none of their keys was used.
SELECT source, key_name,
       (COALESCE(sum(calls) FILTER (WHERE at >= :day::timestamptz), 0))::int AS day_calls,
       (sum(calls))::int AS month_calls,
       (COALESCE(sum(calls) FILTER (WHERE is_probe AND at >= :day::timestamptz), 0))::int
           AS day_probes,
       (COALESCE(sum(calls) FILTER (WHERE is_probe), 0))::int AS month_probes
  FROM (SELECT source, key_name, at, upstream_calls AS calls, origin = 'probe' AS is_probe
          FROM attempt
         WHERE source = ANY (:sources) AND at >= :month::timestamptz AND key_name IS NOT NULL
        UNION ALL
        SELECT source, key_name, at, 1, true FROM probe_result
         WHERE source = ANY (:sources) AND at >= :month::timestamptz AND key_name IS NOT NULL
       ) AS call
 GROUP BY source, key_name
 ORDER BY source, key_name;
