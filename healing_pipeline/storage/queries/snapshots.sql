-- The last good data of every question.

-- name: save_snapshot(endpoint, request_key, fetched_at, as_of, provider, reading, body, fidelity)!
-- Touches no row when one as new is there: data that arrives late never replaces newer data.
INSERT INTO snapshot (endpoint, request_key, fetched_at, as_of, provider, reading, body, fidelity)
VALUES (:endpoint, :request_key, :fetched_at, :as_of, :provider, :reading, :body, :fidelity)
ON CONFLICT (endpoint, request_key) DO UPDATE
   SET fetched_at = EXCLUDED.fetched_at, as_of = EXCLUDED.as_of, provider = EXCLUDED.provider,
       reading = EXCLUDED.reading, body = EXCLUDED.body, fidelity = EXCLUDED.fidelity
 WHERE snapshot.fetched_at < EXCLUDED.fetched_at;

-- name: load_snapshots(endpoints, newer_than)
-- Oldest first; of all endpoints when `endpoints` is null, of any age when `newer_than` is.
-- Empty: nothing good was ever read.
SELECT endpoint, request_key, fetched_at, as_of, provider, reading, body, fidelity
  FROM snapshot
 WHERE (:endpoints::text[] IS NULL OR endpoint = ANY (:endpoints))
   AND (:newer_than::timestamptz IS NULL OR fetched_at > :newer_than)
 ORDER BY fetched_at;
