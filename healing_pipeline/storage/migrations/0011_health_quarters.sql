-- Health by quarter of an hour, so that a day or a month of it is read without reading every fact.

CREATE TABLE healing.health_quarter (
    quarter timestamptz NOT NULL, -- when it begins
    endpoint text NOT NULL,
    source text NOT NULL,
    requests int NOT NULL, -- but those that asked for what the source does not have
    met_fault int NOT NULL, -- of requests: whose first attempt met a healable failure
    healed int NOT NULL, -- of met_fault: answered all the same
    reader_errors int NOT NULL, -- of requests: without an accepted answer
    probes int NOT NULL, -- those that count: the caller's faults say nothing of a source
    failures int NOT NULL, -- of probes
    waited_s float8 NOT NULL, -- of all requests together; of all probes where nobody read
    p50_s float8, -- of readers' waits; of probes where nobody read
    p95_s float8,
    ill boolean NOT NULL, -- an incident stood open at some moment of it
    unhealed boolean NOT NULL, -- and healing had failed
    PRIMARY KEY (quarter, endpoint)
);
CREATE INDEX health_quarter_by_endpoint ON healing.health_quarter (endpoint, quarter);

-- The quarters of which something was heard since they were last folded, each as often as that
-- was. Nothing is unique here: who writes facts must never wait for who folds them.
CREATE TABLE healing.health_quarter_news (
    quarter timestamptz NOT NULL
);
CREATE INDEX health_quarter_news_by_quarter ON healing.health_quarter_news (quarter);

-- Quarters that begin before this one have been folded, or are in the news; none before the first
-- fold.
CREATE TABLE healing.health_fold (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT health_fold_only_one CHECK (only_one),
    until timestamptz NOT NULL
);
INSERT INTO healing.health_fold (until) VALUES ('-infinity');
INSERT INTO healing.health_quarter_news (quarter)
    SELECT date_bin('15 minutes', at, 'epoch') FROM healing.answer
    UNION SELECT date_bin('15 minutes', at, 'epoch') FROM healing.probe_result
    UNION SELECT generate_series(date_bin('15 minutes', began_at, 'epoch'),
                                 LEAST(resolved_at, now()), interval '15 minutes')
      FROM healing.incident;

CREATE FUNCTION healing.note_quarters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO healing.health_quarter_news (quarter)
        SELECT DISTINCT date_bin('15 minutes', at, 'epoch') FROM new_fact;
    RETURN NULL;
END
$$;
CREATE TRIGGER answer_is_news_of_its_quarter AFTER INSERT ON healing.answer
    REFERENCING NEW TABLE AS new_fact
    FOR EACH STATEMENT EXECUTE FUNCTION healing.note_quarters();
CREATE TRIGGER probe_result_is_news_of_its_quarter AFTER INSERT ON healing.probe_result
    REFERENCING NEW TABLE AS new_fact
    FOR EACH STATEMENT EXECUTE FUNCTION healing.note_quarters();

-- A step of an incident says something of its own quarter and of all later ones that were folded
-- without it; the first step, of those since the incident began.
CREATE FUNCTION healing.note_quarters_of_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO healing.health_quarter_news (quarter)
        SELECT DISTINCT generate_series(
                   date_bin('15 minutes',
                            CASE WHEN new_step.from_state IS NULL
                                 THEN LEAST(incident.began_at, new_step.at)
                                 ELSE new_step.at END, 'epoch'),
                   GREATEST(new_step.at, health_fold.until - interval '15 minutes'),
                   interval '15 minutes')
          FROM new_step
          JOIN healing.incident ON incident.id = new_step.incident_id
         CROSS JOIN healing.health_fold;
    RETURN NULL;
END
$$;
CREATE TRIGGER incident_event_is_news_of_its_quarter AFTER INSERT ON healing.incident_event
    REFERENCING NEW TABLE AS new_step
    FOR EACH STATEMENT EXECUTE FUNCTION healing.note_quarters_of_step();

-- The health in [from_at, to_at) by quarter and endpoint, from the facts themselves. A quarter that
-- the range cuts has a row for what lies inside.
CREATE FUNCTION healing.health_from_facts(from_at timestamptz, to_at timestamptz)
RETURNS SETOF healing.health_quarter LANGUAGE sql STABLE AS $$
    WITH probed AS (
        SELECT date_bin('15 minutes', at, 'epoch') AS quarter, endpoint, min(source) AS source,
               count(*) FILTER (WHERE counts) AS probes,
               count(*) FILTER (WHERE counts AND failure_class <> 'ok') AS failures,
               sum(seconds) AS waited_s,
               percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) AS seconds
          FROM (SELECT *, failure_class NOT IN ('bad_request', 'not_found', 'plan_limit') AS counts
                  FROM healing.probe_result
                 WHERE at >= from_at AND at < to_at) AS in_range
         GROUP BY 1, endpoint
    ), read AS (
        SELECT date_bin('15 minutes', at, 'epoch') AS quarter, endpoint, min(source) AS source,
               count(*) FILTER (WHERE counts) AS requests,
               count(*) FILTER (WHERE met AND counts) AS met_fault,
               count(*) FILTER (WHERE met AND NOT failed) AS healed,
               count(*) FILTER (WHERE failed AND counts) AS reader_errors,
               sum(seconds) AS waited_s,
               percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) AS seconds
          FROM (SELECT *, COALESCE(failure_class NOT IN ('ok', 'bad_request'), false) AS met,
                       NOT failed OR COALESCE(failure_class NOT IN (
                           'bad_request', 'not_found', 'plan_limit'), true) AS counts
                  FROM healing.answer
                 WHERE at >= from_at AND at < to_at) AS in_range
         GROUP BY 1, endpoint
    ), span AS (
        SELECT incident.endpoint, incident.source, false AS unhealed, incident.began_at AS since,
               COALESCE(incident.resolved_at, 'infinity') AS until
          FROM healing.incident
         WHERE incident.began_at < to_at
           AND (incident.resolved_at IS NULL OR incident.resolved_at >= from_at)
        UNION ALL
        SELECT step.endpoint, step.source, true, step.at, COALESCE(step.until, 'infinity')
          FROM (SELECT incident.endpoint, incident.source, incident_event.to_state,
                       incident_event.at,
                       lead(incident_event.at) OVER (
                           PARTITION BY incident_event.incident_id
                           ORDER BY incident_event.id) AS until
                  FROM healing.incident
                  JOIN healing.incident_event ON incident_event.incident_id = incident.id
                 WHERE incident.began_at < to_at
                   AND (incident.resolved_at IS NULL OR incident.resolved_at >= from_at)) AS step
         WHERE step.to_state = 'escalated' AND step.at < to_at
           AND (step.until IS NULL OR step.until >= from_at)
    ), troubled AS (
        SELECT quarter, endpoint, min(source) AS source, bool_or(unhealed) AS unhealed
          FROM span
         CROSS JOIN LATERAL generate_series(
                   date_bin('15 minutes', GREATEST(since, from_at), 'epoch'),
                   LEAST(until, to_at - interval '1 microsecond'),
                   interval '15 minutes') AS quarter
         GROUP BY quarter, endpoint
    ), seen AS (
        SELECT quarter, endpoint, source FROM probed
        UNION SELECT quarter, endpoint, source FROM read
        UNION SELECT quarter, endpoint, source FROM troubled
    )
    SELECT seen.quarter, seen.endpoint, min(seen.source),
           COALESCE(min(read.requests), 0)::int, COALESCE(min(read.met_fault), 0)::int,
           COALESCE(min(read.healed), 0)::int, COALESCE(min(read.reader_errors), 0)::int,
           COALESCE(min(probed.probes), 0)::int, COALESCE(min(probed.failures), 0)::int,
           COALESCE(min(read.waited_s), min(probed.waited_s), 0),
           COALESCE(min(read.seconds[1]), min(probed.seconds[1])),
           COALESCE(min(read.seconds[2]), min(probed.seconds[2])),
           count(troubled.endpoint) > 0, COALESCE(bool_or(troubled.unhealed), false)
      FROM seen
      LEFT JOIN probed USING (quarter, endpoint)
      LEFT JOIN read USING (quarter, endpoint)
      LEFT JOIN troubled USING (quarter, endpoint)
     GROUP BY seen.quarter, seen.endpoint
$$;

-- The same in any range, from what is folded where that is possible.
CREATE FUNCTION healing.health_in(from_at timestamptz, to_at timestamptz)
RETURNS SETOF healing.health_quarter LANGUAGE sql STABLE AS $$
    WITH whole AS (
        SELECT first, GREATEST(first, LEAST(date_bin('15 minutes', to_at, 'epoch'), until)) AS last
          FROM healing.health_fold
         CROSS JOIN LATERAL (
                   SELECT LEAST(to_at, date_bin('15 minutes',
                       from_at + interval '15 minutes' - interval '1 microsecond', 'epoch')))
               AS edge (first)
    )
    SELECT health_quarter.*
      FROM whole
      JOIN healing.health_quarter ON quarter >= first AND quarter < last
    UNION ALL
    SELECT part.* FROM whole CROSS JOIN LATERAL healing.health_from_facts(from_at, first) AS part
    UNION ALL
    SELECT part.* FROM whole CROSS JOIN LATERAL healing.health_from_facts(last, to_at) AS part
$$;
