-- What was learned: counts by hour and day, and the policies that were made of them. Whole numbers
-- and texts only, so that a partition folded again gives the same bytes.

-- When what failed says nothing about what helps: a source told us that it would be away.
CREATE TABLE healing.maintenance (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text, -- null: all
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    reason text NOT NULL,
    CONSTRAINT maintenance_ends_after_it_began CHECK (begins_at < ends_at)
);
CREATE INDEX maintenance_by_time ON healing.maintenance (ends_at, begins_at);

-- How strategies fared, one row per hour, source, failure class and strategy that was tried.
CREATE TABLE healing.inner_knowledge (
    hour timestamptz NOT NULL,
    source text NOT NULL,
    failure_class healing.failure_class NOT NULL,
    strategy text NOT NULL,
    tries int NOT NULL,
    healed int NOT NULL,
    exact int NOT NULL, -- of healed
    late_tries int NOT NULL, -- of tries: ended after the reader's deadline
    late_healed int NOT NULL,
    ms bigint NOT NULL, -- of all tries, each rounded
    outcomes text NOT NULL, -- 1 healed, 0 did not; oldest first, the last 256
    -- By source first: a partition is read and replaced as one run of the index.
    PRIMARY KEY (source, hour, failure_class, strategy),
    -- A partition is found by its hour: one that begins at another moment would never be replaced.
    CONSTRAINT inner_knowledge_begins_on_the_hour CHECK (extract(epoch FROM hour)::bigint % 3600 = 0),
    CONSTRAINT inner_knowledge_adds_up CHECK (
        tries > 0 AND exact BETWEEN 0 AND healed AND healed <= tries AND late_tries <= tries
        AND late_healed BETWEEN 0 AND late_tries AND ms >= 0
        AND length(outcomes) = least(tries, 256))
);
CREATE INDEX inner_knowledge_by_time ON healing.inner_knowledge USING brin (hour);

-- What was tried in the same request after another strategy had failed, and how often it healed.
CREATE TABLE healing.inner_pair (
    hour timestamptz NOT NULL, -- of the second
    source text NOT NULL,
    failure_class healing.failure_class NOT NULL,
    failed text NOT NULL,
    "then" text NOT NULL,
    tries int NOT NULL,
    healed int NOT NULL,
    PRIMARY KEY (source, hour, failure_class, failed, "then"),
    CONSTRAINT inner_pair_begins_on_the_hour CHECK (extract(epoch FROM hour)::bigint % 3600 = 0),
    CONSTRAINT inner_pair_adds_up CHECK (tries > 0 AND healed BETWEEN 0 AND tries)
);
CREATE INDEX inner_pair_by_time ON healing.inner_pair USING brin (hour);

-- The same counts by how long an attempt had waited before its last call.
CREATE TABLE healing.inner_parameter (
    hour timestamptz NOT NULL,
    source text NOT NULL,
    failure_class healing.failure_class NOT NULL,
    strategy text NOT NULL,
    bucket text NOT NULL CONSTRAINT inner_parameter_bucket_known CHECK (
        bucket IN ('0', '0-0.1', '0.1-0.2', '0.2-0.4', '0.4-0.8', '0.8+')),
    tries int NOT NULL,
    healed int NOT NULL,
    ms bigint NOT NULL,
    PRIMARY KEY (source, hour, failure_class, strategy, bucket),
    CONSTRAINT inner_parameter_begins_on_the_hour CHECK (extract(epoch FROM hour)::bigint % 3600 = 0),
    CONSTRAINT inner_parameter_adds_up CHECK (tries > 0 AND healed BETWEEN 0 AND tries AND ms >= 0)
);
CREATE INDEX inner_parameter_by_time ON healing.inner_parameter USING brin (hour);

-- What plain calls and probes saw, good ones included: throttling hours, time limits, co-failures.
CREATE TABLE healing.inner_observation (
    hour timestamptz NOT NULL,
    source text NOT NULL,
    endpoint text NOT NULL,
    failure_class healing.failure_class NOT NULL,
    observations int NOT NULL,
    fail_windows int NOT NULL, -- bit i: it failed so in the i-th five minutes of the hour
    ok_seconds int[] NOT NULL, -- how many good calls took how long; empty for failures
    PRIMARY KEY (source, hour, endpoint, failure_class),
    CONSTRAINT inner_observation_begins_on_the_hour CHECK (extract(epoch FROM hour)::bigint % 3600 = 0),
    CONSTRAINT inner_observation_adds_up CHECK (
        observations > 0 AND fail_windows BETWEEN 0 AND 4095
        AND (failure_class = 'ok') = (fail_windows = 0)
        AND (failure_class = 'ok') = (cardinality(ok_seconds) > 0))
);
CREATE INDEX inner_observation_by_time ON healing.inner_observation USING brin (hour);

-- The sum of a day's inner rows; never forgets.
CREATE TABLE healing.outer_knowledge (
    day timestamptz NOT NULL,
    source text NOT NULL,
    failure_class healing.failure_class NOT NULL,
    strategy text NOT NULL,
    tries bigint NOT NULL,
    healed bigint NOT NULL,
    exact bigint NOT NULL,
    late_tries bigint NOT NULL,
    late_healed bigint NOT NULL,
    ms bigint NOT NULL,
    PRIMARY KEY (day, source, failure_class, strategy),
    CONSTRAINT outer_knowledge_begins_with_the_day CHECK (extract(epoch FROM day)::bigint % 86400 = 0)
);

-- Which hours were folded, empty ones too, and how much had arrived by then: a fact with a larger
-- number is one that the fold has not seen.
CREATE TABLE healing.inner_fold (
    hour timestamptz NOT NULL,
    source text NOT NULL,
    seq bigint NOT NULL, -- the newest attempt.seq at the time
    PRIMARY KEY (source, hour)
);
CREATE INDEX inner_fold_by_time ON healing.inner_fold (hour);

-- Which days were summed. Until then a day's inner rows stand for it.
CREATE TABLE healing.outer_fold (
    day timestamptz PRIMARY KEY
);

-- Every policy that was made, with what it was held against.
CREATE TABLE healing.policy (
    version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    as_of timestamptz NOT NULL, -- nothing later taught it
    made_at timestamptz NOT NULL,
    fingerprint text NOT NULL, -- SHA-256 of the document
    document text NOT NULL,
    status text NOT NULL CONSTRAINT policy_status_known CHECK (status IN ('published', 'refused')),
    reason text NOT NULL,
    events int NOT NULL, -- of the last day, replayed under both
    value_new float8, -- chance to heal within the budget; null without events
    value_old float8,
    standard_error float8, -- of value_new - value_old, paired
    value_floor float8, -- without learning
    value_ceiling float8, -- in hindsight
    UNIQUE (version, status) -- for the foreign key of policy_publication
);
CREATE TRIGGER policy_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.policy
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Which policy was in force when. The newest row is the active one; a rollback is a row like others.
CREATE TABLE healing.policy_publication (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version bigint NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    -- People went back to it: until they let learning publish again, no run of its own does.
    is_rollback boolean NOT NULL DEFAULT false,
    -- What the last day's events spoke against cannot come into force, not by mistake either.
    status text NOT NULL DEFAULT 'published' CONSTRAINT policy_publication_passed CHECK (
        status = 'published'),
    FOREIGN KEY (version, status) REFERENCES healing.policy (version, status)
);
CREATE TRIGGER policy_publication_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.policy_publication
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

CREATE VIEW healing.policy_active AS
    SELECT policy.version, policy.fingerprint, policy.document
      FROM healing.policy_publication
      JOIN healing.policy ON policy.version = policy_publication.version
     ORDER BY policy_publication.id DESC
     LIMIT 1;

-- Data paths take a new policy over as it comes into force.
CREATE FUNCTION healing.tell_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('healing_policy', NEW.version::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER policy_publication_is_told AFTER INSERT ON healing.policy_publication
    FOR EACH ROW EXECUTE FUNCTION healing.tell_policy();

-- Our own outages: minutes in which we called three hosts or more, of two sources or more, and none
-- of the calls, probes included, came to anything but network_error or timeout. Then it was our
-- network, and what was tried says nothing of the sources.
CREATE FUNCTION healing.own_outage_minutes(from_at timestamptz, to_at timestamptz)
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
$$;

-- The attempts that teach: uses of a strategy against a failure, for a reader or for healing. Left
-- out is what says nothing of the strategy: what our own limits refused to send (no call, no stored
-- data, not healed), maintenance, our own outages (their minutes as `own_outage_minutes` gives them).
CREATE FUNCTION healing.lessons(
    from_at timestamptz, to_at timestamptz, of_sources text[], outage_minutes timestamptz[])
RETURNS TABLE (
    hour timestamptz, source text, failure_class text, strategy text, at timestamptz,
    request_id uuid, attempt_no int, healed boolean, exact boolean, late boolean, ms bigint,
    seconds float8, waited_s float8)
LANGUAGE sql STABLE AS $$
    SELECT date_bin('1 hour', attempt.at, 'epoch'), attempt.source, attempt.met::text,
           attempt.strategy, attempt.at, attempt.request_id, attempt.attempt_no, attempt.healed,
           attempt.healed AND attempt.fidelity IS NOT DISTINCT FROM 'exact', attempt.late,
           round(attempt.seconds * 1000)::bigint, attempt.seconds,
           COALESCE((attempt.params ->> 'waited_s')::float8, 0)
      FROM healing.attempt
     WHERE attempt.at >= from_at AND attempt.at < to_at
       AND attempt.source = ANY (of_sources)
       AND attempt.strategy <> 'plain' AND attempt.met IS NOT NULL
       AND attempt.origin IN ('reader', 'heal')
       AND (attempt.upstream_calls > 0 OR attempt.healed
            OR attempt.strategy IN ('use_cached_data', 'long_ttl_cache'))
       AND NOT (EXISTS (SELECT FROM healing.maintenance -- asked once
                         WHERE maintenance.begins_at < to_at AND maintenance.ends_at > from_at)
                AND EXISTS (
                    SELECT FROM healing.maintenance
                     WHERE maintenance.begins_at <= attempt.at AND attempt.at < maintenance.ends_at
                       AND (maintenance.source IS NULL OR maintenance.source = attempt.source)))
       AND date_bin('1 minute', attempt.at, 'epoch') <> ALL (outage_minutes)
$$;

-- What was seen of endpoints: plain calls that were sent, and probes. The same is left out.
CREATE FUNCTION healing.sightings(
    from_at timestamptz, to_at timestamptz, of_sources text[], outage_minutes timestamptz[])
RETURNS TABLE (
    at timestamptz, source text, endpoint text, failure_class text, seconds float8)
LANGUAGE sql STABLE AS $$
    SELECT seen.at, seen.source, seen.endpoint, seen.failure_class, seen.seconds
      FROM (SELECT attempt.at, attempt.source, attempt.endpoint, attempt.failure_class::text,
                   attempt.seconds
              FROM healing.attempt
             WHERE attempt.strategy = 'plain' AND attempt.upstream_calls > 0
               AND attempt.at >= from_at AND attempt.at < to_at
               AND attempt.source = ANY (of_sources)
            UNION ALL
            SELECT probe_result.at, probe_result.source, probe_result.endpoint,
                   probe_result.failure_class::text, probe_result.seconds
              FROM healing.probe_result
             WHERE probe_result.at >= from_at AND probe_result.at < to_at
               AND probe_result.source = ANY (of_sources)) AS seen
     WHERE NOT (EXISTS (SELECT FROM healing.maintenance -- asked once
                         WHERE maintenance.begins_at < to_at AND maintenance.ends_at > from_at)
                AND EXISTS (
                    SELECT FROM healing.maintenance
                     WHERE maintenance.begins_at <= seen.at AND seen.at < maintenance.ends_at
                       AND (maintenance.source IS NULL OR maintenance.source = seen.source)))
       AND date_bin('1 minute', seen.at, 'epoch') <> ALL (outage_minutes)
$$;
