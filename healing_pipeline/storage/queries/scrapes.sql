-- What a monitoring system scrapes: counts by quarter of an hour, so that a counter can be kept that
-- never falls, and what stands now.

-- name: read_counts(since)
-- Readers' requests by endpoint and quarter. Empty: nobody asked.
SELECT endpoint, source, date_bin('15 minutes', at, 'epoch') AS quarter,
       count(*) AS requests,
       count(*) FILTER (WHERE failed) AS reader_errors,
       count(*) FILTER (WHERE met) AS met_fault,
       count(*) FILTER (WHERE met AND NOT failed) AS healed
  FROM (SELECT *, COALESCE(failure_class NOT IN ('ok', 'bad_request'), false) AS met
          FROM answer
         WHERE at >= :since) AS lately
 GROUP BY endpoint, source, quarter;

-- name: read_seconds(since, bounds)
-- How long readers waited, by source, quarter and bucket: a bucket holds what took longer than the
-- bound before it and at most its own; the last has no bound of its own. Empty: nobody asked.
SELECT source, date_bin('15 minutes', at, 'epoch') AS quarter,
       (SELECT count(*) FROM unnest(:bounds::float8[]) AS bound WHERE bound < seconds)::int AS bucket,
       count(*) AS requests, sum(seconds) AS seconds
  FROM answer
 WHERE at >= :since
 GROUP BY source, quarter, bucket;

-- name: probe_counts(since)
-- Probes by endpoint and quarter; the caller's faults count neither way. Empty: nobody probed.
SELECT endpoint, source, date_bin('15 minutes', at, 'epoch') AS quarter,
       count(*) AS probes,
       count(*) FILTER (WHERE failure_class <> 'ok') AS failures
  FROM probe_result
 WHERE at >= :since AND failure_class NOT IN ('bad_request', 'not_found', 'plan_limit')
 GROUP BY endpoint, source, quarter;

-- name: open_states()
-- Where open incidents stand. Empty: there is none.
SELECT endpoint, source, state::text FROM incident WHERE state <> 'resolved';

-- name: groups_by_level()
-- Alert groups that fire, by level. Empty: none does.
SELECT level::text, count(*) AS groups
  FROM alert_group
 WHERE recovered_at IS NULL AND resolved_at IS NULL
 GROUP BY level;

-- name: deliveries_by_state(since)
-- Deliveries that wait, and those that failed for good since a moment.
SELECT state, count(*) AS deliveries
  FROM delivery
 WHERE state = 'pending' OR (state = 'failed' AND next_at >= :since)
 GROUP BY state;
