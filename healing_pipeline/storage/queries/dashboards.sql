-- What the pages of the dashboard read.

-- name: limit_statement(limit_ms)!
-- Nobody looks at a page for longer; until the end of the transaction.
SELECT set_config('statement_timeout', :limit_ms::text, true);

-- name: read_only()!
SET TRANSACTION READ ONLY;

-- name: day(since, until)
-- What was folded of each endpoint: totals, and by quarter how it went and how long readers waited
-- (milliseconds, -1 where nobody did). Quarters that begin at or after `since`.
-- How it went: f, a reader went without an answer or healing had failed; h, its source failed and
-- readers were served; l, live. A quarter in which nobody looked has no letter.
-- Empty: nothing was folded yet.
SELECT endpoint,
       sum(requests) AS requests, sum(met_fault) AS met_fault, sum(healed) AS healed,
       sum(reader_errors) AS reader_errors, sum(probes) AS probes, sum(failures) AS failures,
       array_agg((extract(epoch FROM quarter) / 900)::int ORDER BY quarter) AS quarters,
       string_agg(CASE WHEN reader_errors > 0 OR unhealed THEN 'f'
                       WHEN met_fault > 0 OR failures > 0 OR ill THEN 'h'
                       ELSE 'l' END, '' ORDER BY quarter) AS letters,
       array_agg(COALESCE(round(p50_s * 1000), -1)::int ORDER BY quarter) AS p50_ms
  FROM health_quarter
 WHERE quarter >= :since AND quarter < :until
 GROUP BY endpoint;

-- name: since_folded(since, until)
-- The same of what is not folded yet, from the facts; an endpoint may have two quarters.
SELECT endpoint,
       sum(requests) AS requests, sum(met_fault) AS met_fault, sum(healed) AS healed,
       sum(reader_errors) AS reader_errors, sum(probes) AS probes, sum(failures) AS failures,
       array_agg((extract(epoch FROM quarter) / 900)::int ORDER BY quarter) AS quarters,
       string_agg(CASE WHEN reader_errors > 0 OR unhealed THEN 'f'
                       WHEN met_fault > 0 OR failures > 0 OR ill THEN 'h'
                       ELSE 'l' END, '' ORDER BY quarter) AS letters,
       array_agg(COALESCE(round(p50_s * 1000), -1)::int ORDER BY quarter) AS p50_ms
  FROM health_from_facts(:since, :until)
 GROUP BY endpoint;

-- name: newest_fidelity(endpoints, since)
-- Of the newest answer that readers of an endpoint got; without those that got none since then.
SELECT wanted.endpoint, newest.fidelity::text
  FROM unnest(:endpoints::text[]) AS wanted (endpoint)
 CROSS JOIN LATERAL (
           SELECT answer.fidelity
             FROM answer
            WHERE answer.endpoint = wanted.endpoint AND answer.at >= :since AND NOT answer.failed
            ORDER BY answer.at DESC
            LIMIT 1) AS newest;

-- name: standings()
-- What stands between endpoints and being live: open incidents, and routes that are followed.
-- Empty: all are live.
SELECT endpoint, incident.id AS incident_id, incident.state::text, incident.state_since,
       incident.failure_class::text, left(incident.evidence, 200) AS evidence,
       route.strategy, route.fidelity::text, route.created_at AS route_since
  FROM (SELECT * FROM incident WHERE state <> 'resolved') AS incident
  FULL JOIN (SELECT * FROM route WHERE withdrawn_at IS NULL) AS route USING (endpoint)
 ORDER BY endpoint;
