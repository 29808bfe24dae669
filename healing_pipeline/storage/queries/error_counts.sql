-- Readers without an accepted answer. What a request asked for and could not have (bad_request,
-- not_found, plan_limit) is the caller's matter: it is in neither number.

-- name: sources_with_errors(since)
-- Sources of which a reader went without an answer since a moment, and when first.
-- Empty: nobody did.
SELECT source, min(at) AS first_at
  FROM answer
 WHERE failed AND at >= :since
   AND COALESCE(failure_class::text, '') NOT IN ('bad_request', 'not_found', 'plan_limit')
 GROUP BY source;

-- name: counted_since(sources, now)
-- From when on errors of each source count. `fault_since`: what happened before its last group was
-- closed has been told, and what happened in maintenance or while we were cut off is nobody's fault.
-- `heal_since`: what happened before an endpoint of it was healed or well again may be over.
-- Null where everything counts.
SELECT source,
       GREATEST(
           (SELECT max(recovered_at) FROM alert_group
             WHERE alert_group.source = each.source AND resolved_at IS NOT NULL
               AND starts_with(fingerprint, 'source:')),
           (SELECT max(ends_at) FROM maintenance
             WHERE (maintenance.source IS NULL OR maintenance.source = each.source)
               AND ends_at <= :now),
           (SELECT max(ended_at) FROM own_outage)) AS fault_since,
       (SELECT max(state_since) FROM incident
         WHERE incident.source = each.source AND state IN ('healed', 'resolved')
           AND (state <> 'resolved' OR began_at >= :now::timestamptz - interval '3 days'))
           AS heal_since
  FROM unnest(:sources::text[]) AS each (source);

-- name: counts_by_window(sources, sinces, starts)
-- Requests and errors of each source in windows that begin at `starts` and end now, by the number of
-- the window, from 1. A source that nobody read is not in the answer.
SELECT answer.source, each_start.number::int AS number, count(*)::int AS requests,
       (count(*) FILTER (WHERE failed))::int AS errors
  FROM unnest(:sources::text[], :sinces::timestamptz[]) AS wanted (source, since)
  JOIN answer ON answer.source = wanted.source
       AND answer.at >= (SELECT min(start) FROM unnest(:starts::timestamptz[]) AS start)
       AND (wanted.since IS NULL OR answer.at > wanted.since)
  JOIN unnest(:starts::timestamptz[]) WITH ORDINALITY AS each_start (start, number)
       ON answer.at >= each_start.start
 WHERE NOT (failed AND COALESCE(failure_class::text, '')
                       IN ('bad_request', 'not_found', 'plan_limit'))
 GROUP BY answer.source, each_start.number;

-- name: counts_by_window_of(endpoints, sources, sinces, starts)
-- The same of sources that are read seldom, found by their endpoints: a long window without all
-- that others were asked in it.
SELECT answer.source, each_start.number::int AS number, count(*)::int AS requests,
       (count(*) FILTER (WHERE failed))::int AS errors
  FROM unnest(:sources::text[], :sinces::timestamptz[]) AS wanted (source, since)
  JOIN answer ON answer.source = wanted.source
       AND answer.endpoint = ANY (:endpoints::text[])
       AND answer.at >= (SELECT min(start) FROM unnest(:starts::timestamptz[]) AS start)
       AND (wanted.since IS NULL OR answer.at > wanted.since)
  JOIN unnest(:starts::timestamptz[]) WITH ORDINALITY AS each_start (start, number)
       ON answer.at >= each_start.start
 WHERE NOT (failed AND COALESCE(failure_class::text, '')
                       IN ('bad_request', 'not_found', 'plan_limit'))
 GROUP BY answer.source, each_start.number;

-- name: long_counts(sources, sinces, starts)
-- The same in long windows, from quarters of an hour that were folded and what came after them; a
-- quarter that a window cuts counts whole or not at all, by when it began.
WITH wanted AS (
    SELECT * FROM unnest(:sources::text[], :sinces::timestamptz[]) AS each (source, since)
), each_start AS (
    SELECT * FROM unnest(:starts::timestamptz[]) WITH ORDINALITY AS each (start, number)
), earliest AS (
    SELECT min(start) AS start FROM each_start
), folded AS (
    -- Before the first fold only the last hour is read, from the facts.
    SELECT GREATEST(until, (SELECT max(start) FROM each_start)) AS until FROM health_fold
), counted AS (
    SELECT source, quarter AS at, requests, reader_errors AS errors
      FROM health_quarter
     WHERE quarter >= (SELECT start FROM earliest) AND quarter < (SELECT until FROM folded)
    UNION ALL
    SELECT source, at, 1, failed::int
      FROM answer
     WHERE at >= (SELECT until FROM folded)
       AND NOT (failed AND COALESCE(failure_class::text, '')
                           IN ('bad_request', 'not_found', 'plan_limit'))
)
SELECT counted.source, each_start.number::int AS number, sum(requests)::int AS requests,
       sum(errors)::int AS errors
  FROM counted
  JOIN wanted ON wanted.source = counted.source
       AND (wanted.since IS NULL OR counted.at > wanted.since)
  JOIN each_start ON counted.at >= each_start.start
 GROUP BY counted.source, each_start.number;

-- name: readers_between(endpoints, began_at, ended_at)^
-- Requests to endpoints within a time, and those without an accepted answer.
SELECT count(*)::int AS readers, (count(*) FILTER (WHERE failed))::int AS readers_without_answer
  FROM answer
 WHERE endpoint = ANY (:endpoints::text[]) AND at >= :began_at AND at <= :ended_at;

-- name: sources_being_healed(since)
-- Sources with an incident that waits for a heal or is in one, and came there since a moment.
SELECT DISTINCT source FROM incident
 WHERE state IN ('open', 'healing') AND state_since >= :since;
