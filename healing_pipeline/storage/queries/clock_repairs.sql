-- What a clock that was ahead has written, when it was set back: moments that would be waited for, and
-- data that would look younger than it is.

-- name: bring_schedule_forward(now)!
-- Nothing waits longer than its own interval, but for an allowance, and that is looked at again.
-- Rows are taken in one order. Touches no row when nothing waits longer.
UPDATE probe_schedule AS schedule
   SET next_at = :now::timestamptz + make_interval(secs => schedule.interval_s * random())
  FROM (SELECT endpoint FROM probe_schedule
         WHERE next_at > :now::timestamptz + make_interval(secs => interval_s)
         ORDER BY endpoint
           FOR UPDATE) AS ahead
 WHERE schedule.endpoint = ahead.endpoint;

-- name: age_snapshots(by)!
-- All data is so much earlier by the clock as it is now; what was stored by it already looks older
-- than it is, until it is read again.
UPDATE snapshot SET fetched_at = fetched_at - :by::interval;

-- name: age_snapshots_ahead(until)!
-- Data from the future is of an age that nobody knows: it counts as old as can be, and the next good
-- data takes its place. Touches no row when there is none.
UPDATE snapshot SET fetched_at = 'epoch' WHERE fetched_at > :until;
