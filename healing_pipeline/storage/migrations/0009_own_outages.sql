-- Times in which we could reach nobody: no provider's fault, and nothing to learn from.

CREATE TABLE healing.own_outage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    evidence text NOT NULL,
    CONSTRAINT own_outage_ends_after_it_began CHECK (began_at <= ended_at)
);
-- We are cut off or we are not, however many processes notice.
CREATE UNIQUE INDEX own_outage_one_at_a_time
    ON healing.own_outage ((true)) WHERE ended_at IS NULL;
CREATE INDEX own_outage_by_time ON healing.own_outage (began_at);

-- Our own outages: minutes that touch one that was noticed, and minutes in which we called three
-- hosts or more, of two sources or more, and none of the calls, probes included, came to anything but
-- network_error or timeout. Then it was our network, and what was tried says nothing of the sources.
CREATE OR REPLACE FUNCTION healing.own_outage_minutes(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (minute timestamptz) LANGUAGE sql STABLE AS $$
    WITH call AS (
        SELECT date_bin('1 minute', at, 'epoch') AS minute, source, host,
               failure_class IN ('network_error', 'timeout') AS is_lost
          FROM healing.attempt
         WHERE at >= from_at AND at < to_at AND upstream_calls > 0
        UNION ALL
        SELECT date_bin('1 minute', at, 'epoch'), source, host,
               failure_class IN ('network_error', 'timeout')
          FROM healing.probe_result
         WHERE at >= from_at AND at < to_at
    ), lost AS (
        SELECT call.minute
          FROM call
         GROUP BY call.minute
        HAVING bool_and(is_lost) AND min(source) <> max(source)
    )
    SELECT call.minute
      FROM call JOIN lost USING (minute)
     GROUP BY call.minute
    HAVING count(DISTINCT (source, host)) >= 3
    UNION
    SELECT generate_series(date_bin('1 minute', GREATEST(began_at, from_at), 'epoch'),
                           LEAST(ended_at, to_at - interval '1 microsecond'), interval '1 minute')
      FROM healing.own_outage
     WHERE began_at < to_at AND (ended_at IS NULL OR ended_at >= from_at)
$$;
