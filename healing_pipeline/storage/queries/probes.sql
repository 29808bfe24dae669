-- When each endpoint is asked next, and what asking may cost.

-- name: seed_schedule(endpoints, sources, next_ats, intervals_s, places)!
-- Take over a catalog: new endpoints enter at their own moment, known ones keep theirs unless the
-- interval got shorter.
INSERT INTO probe_schedule (endpoint, source, next_at, interval_s, place)
SELECT * FROM unnest(:endpoints::text[], :sources::text[], :next_ats::timestamptz[],
                     :intervals_s::float8[], :places::int[])
ON CONFLICT (endpoint) DO UPDATE
   SET source = EXCLUDED.source,
       place = EXCLUDED.place,
       interval_s = EXCLUDED.interval_s,
       next_at = CASE WHEN EXCLUDED.interval_s < probe_schedule.interval_s
                      THEN LEAST(probe_schedule.next_at, EXCLUDED.next_at)
                      ELSE probe_schedule.next_at END;

-- name: watch_new(endpoints, sources, next_ats, intervals_s, places)!
-- Watch endpoints that nobody watches yet; those that are watched keep what is said of them.
INSERT INTO probe_schedule (endpoint, source, next_at, interval_s, place)
SELECT * FROM unnest(:endpoints::text[], :sources::text[], :next_ats::timestamptz[],
                     :intervals_s::float8[], :places::int[])
ON CONFLICT (endpoint) DO NOTHING;

-- name: forget_unlisted(endpoints)!
-- Stop asking what the catalog no longer names.
DELETE FROM probe_schedule WHERE NOT endpoint = ANY (:endpoints::text[]);

-- name: claim_due(source, first, last, now, limit, early)
-- Take what is due of a shard, the longest overdue first, and put its next moment off in the same statement:
-- two daemons never probe the same endpoint twice. The next moment comes up to the share `early` of
-- the interval sooner, by chance, never later: what began together drifts apart.
-- Empty: nothing is due, or others have it.
WITH due AS (
    SELECT endpoint, next_at
      FROM probe_schedule
     WHERE source = :source AND next_at <= :now AND place BETWEEN :first AND :last
     ORDER BY next_at, endpoint
     LIMIT :limit
       FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE probe_schedule AS schedule
       SET next_at = :now::timestamptz
                   + make_interval(secs => schedule.interval_s * (1 - :early::float8 * random()))
      FROM due
     WHERE schedule.endpoint = due.endpoint
    RETURNING schedule.endpoint, due.next_at AS was_due_at
)
SELECT endpoint, was_due_at FROM claimed ORDER BY was_due_at, endpoint;

-- name: put_off_due(source, first, last, now, until)!
-- Let what is due of a shard wait until a moment, in the order it stands in and behind what waits for that
-- moment already: turns go round. Touches no row when nothing is due, or others have it.
WITH due AS (
    SELECT endpoint, next_at
      FROM probe_schedule
     WHERE source = :source AND next_at <= :now AND place BETWEEN :first AND :last
       FOR UPDATE SKIP LOCKED
), turn AS (
    SELECT endpoint, row_number() OVER (ORDER BY next_at, endpoint) AS place FROM due
), waiting AS (
    SELECT max(next_at) AS until
      FROM probe_schedule
     WHERE source = :source AND next_at >= :until
       AND next_at < :until::timestamptz + interval '1 second'
)
UPDATE probe_schedule AS schedule
   SET next_at = COALESCE((SELECT until FROM waiting), :until::timestamptz)
               + turn.place * interval '1 microsecond'
  FROM turn
 WHERE schedule.endpoint = turn.endpoint;

-- name: hasten(endpoint, at)!
-- Ask no later than `at`. Touches no row when the endpoint is not on the schedule.
UPDATE probe_schedule SET next_at = LEAST(next_at, :at) WHERE endpoint = :endpoint;

-- name: hasten_all(endpoints, at)!
-- Ask no later than `at`. Touches no row when none of the endpoints is on the schedule, or all are
-- asked before. Rows are taken in one order, so that two that hasten never wait for each other.
UPDATE probe_schedule AS schedule
   SET next_at = :at
  FROM (SELECT endpoint FROM probe_schedule
         WHERE endpoint = ANY (:endpoints::text[]) AND next_at > :at
         ORDER BY endpoint
           FOR UPDATE) AS later
 WHERE schedule.endpoint = later.endpoint;

-- name: hasten_open(source, at, most)!
-- Ask so many of those whose incidents are open no later than `at`, the last in line first. Touches
-- no row when all are asked before. Rows that others hold are passed over.
UPDATE probe_schedule AS schedule
   SET next_at = :at
  FROM (SELECT waiting.endpoint
          FROM probe_schedule AS waiting
          JOIN incident USING (endpoint)
         WHERE waiting.source = :source AND waiting.next_at > :at AND incident.state <> 'resolved'
         ORDER BY waiting.next_at DESC, waiting.endpoint
         LIMIT :most
           FOR UPDATE OF waiting SKIP LOCKED) AS later
 WHERE schedule.endpoint = later.endpoint;

-- name: next_due_at(source, first, last)$
-- The moment the next endpoint of a shard is due; null without endpoints.
SELECT min(next_at) FROM probe_schedule
 WHERE source = :source AND place BETWEEN :first AND :last;

-- name: ledger_turn(source, key_name)!
-- Let one caller at a time spend from a key; until the end of the transaction. A statement of its
-- own, because what `spend` sees is fixed when it begins.
SELECT pg_advisory_xact_lock(hashtextextended('healing key ' || :source || ' ' || :key_name, 0));

-- name: spend(source, key_name, kind, now, calls, window_kinds, limits, quota_kinds, quotas)!
-- Note the calls in every window, or in none when any of them would go over its limit: then it
-- touches no row. `limits` are for this kind of caller, `quotas` for all kinds together.
WITH allowed AS (
    SELECT window_kind, calls, false AS of_all
      FROM unnest(:window_kinds::text[], :limits::int[]) AS own (window_kind, calls)
    UNION ALL
    SELECT window_kind, calls, true
      FROM unnest(:quota_kinds::text[], :quotas::int[]) AS whole (window_kind, calls)
), used AS (
    SELECT allowed.window_kind, allowed.calls AS most, COALESCE(sum(usage.calls), 0) AS calls
      FROM allowed
      LEFT JOIN key_usage AS usage
        ON usage.source = :source AND usage.key_name = :key_name
       AND usage.window_kind = allowed.window_kind
       AND usage.window_start = date_trunc(allowed.window_kind, :now::timestamptz, 'UTC')
       AND (allowed.of_all OR usage.kind = :kind)
     GROUP BY allowed.window_kind, allowed.of_all, allowed.calls
)
INSERT INTO key_usage (source, key_name, window_kind, window_start, kind, calls)
SELECT DISTINCT :source, :key_name, window_kind,
       date_trunc(window_kind, :now::timestamptz, 'UTC'), :kind, :calls::int
  FROM used
 WHERE NOT EXISTS (SELECT FROM used AS full_one WHERE full_one.calls + :calls > full_one.most)
ON CONFLICT (source, key_name, window_kind, window_start, kind)
DO UPDATE SET calls = key_usage.calls + EXCLUDED.calls;

-- name: note_spent(source, key_name, kind, now, calls, window_kinds)!
-- Note the calls in every window, whatever is in it: who asks has counted, in its turn.
INSERT INTO key_usage (source, key_name, window_kind, window_start, kind, calls)
SELECT :source, :key_name, window_kind, date_trunc(window_kind, :now::timestamptz, 'UTC'), :kind,
       :calls::int
  FROM unnest(:window_kinds::text[]) AS own (window_kind)
ON CONFLICT (source, key_name, window_kind, window_start, kind)
DO UPDATE SET calls = key_usage.calls + EXCLUDED.calls;

-- name: usage_of(source, key_name, kind, now)
-- What one key's windows that stand open at `now` have taken for a kind of caller. Empty: nothing.
SELECT window_kind, calls
  FROM key_usage
 WHERE source = :source AND key_name = :key_name AND kind = :kind
   AND window_start = date_trunc(window_kind, :now::timestamptz, 'UTC');

-- name: key_usage(source, now)
-- What the windows that stand open at `now` have taken. Empty: nothing was spent in them.
SELECT key_name, window_kind, kind, calls
  FROM key_usage
 WHERE source = :source
   AND window_start = date_trunc(window_kind, :now::timestamptz, 'UTC')
 ORDER BY key_name, window_kind, kind;
