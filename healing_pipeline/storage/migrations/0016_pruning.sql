-- How far back facts reach: who folds them has to know where some are missing.

-- Facts before `until` are gone, or about to go. What they came to (hours, days, quarters) stays as
-- it was folded: a fold over what is left of them would put a part in the place of the whole.
CREATE TABLE healing.pruned (
    -- detail: attempt, answer, probe_result; decision; inner: the hours of what was learned;
    -- run_log: what old runs of Dagster's said on their way
    kind text PRIMARY KEY CONSTRAINT pruned_kind_known CHECK (
        kind IN ('detail', 'decision', 'inner', 'run_log')),
    until timestamptz NOT NULL DEFAULT '-infinity',
    -- The newest attempt.seq at the time: one before `until` with a larger number came afterwards.
    seq bigint NOT NULL DEFAULT 0,
    came_late bigint NOT NULL DEFAULT 0, -- attempts that did, and were taken away unfolded
    changed_at timestamptz
);
INSERT INTO healing.pruned (kind) VALUES ('detail'), ('decision'), ('inner'), ('run_log');

-- The same in any range, from what is folded where that is possible. Where the facts are gone, a
-- quarter that the range cuts counts whole.
CREATE OR REPLACE FUNCTION healing.health_in(from_at timestamptz, to_at timestamptz)
RETURNS SETOF healing.health_quarter LANGUAGE sql STABLE AS $$
    WITH edge AS (
        SELECT LEAST(to_at, CASE WHEN from_at < pruned.until
                                 THEN date_bin('15 minutes', from_at, 'epoch')
                                 ELSE date_bin('15 minutes', from_at + almost, 'epoch') END) AS first,
               LEAST(health_fold.until, CASE WHEN to_at <= pruned.until
                                             THEN date_bin('15 minutes', to_at + almost, 'epoch')
                                             ELSE date_bin('15 minutes', to_at, 'epoch') END) AS last
          FROM healing.health_fold
          JOIN healing.pruned ON pruned.kind = 'detail'
         CROSS JOIN (SELECT interval '15 minutes' - interval '1 microsecond') AS quarter (almost)
    ), whole AS (
        SELECT first, GREATEST(first, last) AS last FROM edge
    )
    SELECT health_quarter.*
      FROM whole
      JOIN healing.health_quarter ON quarter >= first AND quarter < last
    UNION ALL
    SELECT part.* FROM whole CROSS JOIN LATERAL healing.health_from_facts(from_at, first) AS part
    UNION ALL
    SELECT part.* FROM whole CROSS JOIN LATERAL healing.health_from_facts(last, to_at) AS part
$$;
