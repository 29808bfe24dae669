-- The schema as all migrations together leave it: to be read, and compared with them by a test.
-- A change goes into a new migration and, as its result, here.

CREATE SCHEMA healing;

-- Which migrations were applied to this database.
CREATE TABLE healing.schema_migration (
    number int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The words that every table shares. A domain keeps one word list for all columns.

CREATE DOMAIN healing.failure_class AS text CONSTRAINT failure_class_known CHECK (VALUE IN (
    'ok', 'timeout', 'slow', 'network_error', 'server_error', 'rate_limit', 'quota_exhausted',
    'bot_block', 'auth_error', 'plan_limit', 'not_found', 'bad_request', 'invalid_data', 'empty',
    'stale_data'));

CREATE DOMAIN healing.fidelity AS text CONSTRAINT fidelity_known CHECK (VALUE IN (
    'exact', 'stale', 'coarser', 'proxy'));

CREATE DOMAIN healing.incident_state AS text CONSTRAINT incident_state_known CHECK (VALUE IN (
    'open', 'healing', 'healed', 'escalated', 'resolved'));

CREATE DOMAIN healing.severity AS text CONSTRAINT severity_known CHECK (VALUE IN (
    'info', 'warning', 'error', 'critical'));

-- Facts are appended, never changed: everything learned is a fold over them, and a fold over facts
-- that change gives another table every time. Only pruning may take old ones away, and says so
-- with SET LOCAL healing.prune = 'on'.
CREATE FUNCTION healing.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('healing.prune', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on healing.% is refused: facts are appended, never changed',
            TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'Append a new fact; to prune old ones, SET LOCAL healing.prune = ''on''.';
END
$$;

-- What happened: attempts, answers, probe results. Their ids come from whoever saw it happen, so
-- that writing the same fact again (a lost acknowledgement, a replayed spool) changes nothing.

-- Each call, and each use of a strategy, of readers, probes and heal runs.
CREATE TABLE healing.attempt (
    id uuid PRIMARY KEY,
    -- The order of arrival, for cursors. Writers of facts take turns (see recorder.sql), so that a
    -- smaller number is never committed after a larger one: a cursor passes nothing by.
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    request_id uuid NOT NULL,
    attempt_no int NOT NULL,
    at timestamptz NOT NULL,
    origin text NOT NULL CHECK (origin IN ('reader', 'probe', 'heal')),
    source text NOT NULL,
    endpoint text NOT NULL,
    strategy text NOT NULL, -- 'plain' is the untouched first call
    params jsonb NOT NULL DEFAULT '{}',
    host text,
    key_name text,
    failure_class healing.failure_class NOT NULL,
    evidence text NOT NULL,
    healed boolean NOT NULL,
    fidelity healing.fidelity,
    seconds float8 NOT NULL,
    status int,
    upstream_calls int NOT NULL,
    late boolean NOT NULL DEFAULT false,
    -- Without a foreign key: a fact from a spool may outlive its incident.
    incident_id bigint,
    met healing.failure_class -- what a strategy was used against; null for the plain first call
);
CREATE INDEX attempt_by_endpoint ON healing.attempt (endpoint, at);
CREATE INDEX attempt_by_time ON healing.attempt (at);
CREATE INDEX attempt_by_source ON healing.attempt (source, at);
CREATE INDEX attempt_by_request ON healing.attempt (request_id);
-- Failures are few among what was seen: reports find the newest of them, and what was tried against
-- them, without reading the rest.
CREATE INDEX attempt_that_failed
    ON healing.attempt (at) WHERE strategy = 'plain' AND failure_class <> 'ok';
CREATE INDEX attempt_of_strategy ON healing.attempt (at) WHERE strategy <> 'plain';
-- What heal runs tried for an incident that has stood open for long.
CREATE INDEX attempt_of_incident ON healing.attempt (incident_id) WHERE incident_id IS NOT NULL;
CREATE TRIGGER attempt_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.attempt
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Each choice among strategies with all that decided it, so that it can be made again.
CREATE TABLE healing.decision (
    request_id uuid NOT NULL,
    decision_no int NOT NULL, -- 1 for the first; another after each attempt that failed
    at timestamptz NOT NULL,
    origin text NOT NULL CHECK (origin IN ('reader', 'probe', 'heal')),
    source text NOT NULL,
    endpoint text NOT NULL,
    failure_class healing.failure_class NOT NULL,
    policy text, -- how its fingerprint begins; null when nothing was learned yet
    budget_s float8 NOT NULL,
    considered jsonb NOT NULL,
    late boolean NOT NULL DEFAULT false, -- made after the reader had been answered
    PRIMARY KEY (request_id, decision_no)
);
CREATE INDEX decision_by_time ON healing.decision (at);
CREATE TRIGGER decision_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.decision
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- What each reader was given, or that nothing could be; one row a request.
CREATE TABLE healing.answer (
    request_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    source text NOT NULL,
    endpoint text NOT NULL,
    fidelity healing.fidelity,
    strategy text,
    provider text,
    attempts int NOT NULL,
    seconds float8 NOT NULL,
    failure_class healing.failure_class, -- what the first attempt met; null when nothing was wrong
    failed boolean NOT NULL,
    as_of timestamptz
);
CREATE INDEX answer_by_endpoint ON healing.answer (endpoint, at);
CREATE INDEX answer_by_time ON healing.answer (at);
-- Readers without an answer are few, and looked for each second.
CREATE INDEX answer_that_failed ON healing.answer (at) WHERE failed;
-- Requests that met a failure are few among all, and reports ask what became of them.
CREATE INDEX answer_that_met_a_failure ON healing.answer (at) WHERE failure_class <> 'ok';
CREATE TRIGGER answer_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.answer
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Each look of the control path's own at an endpoint: one call, nothing healed.
CREATE TABLE healing.probe_result (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    source text NOT NULL,
    endpoint text NOT NULL,
    host text NOT NULL,
    key_name text,
    failure_class healing.failure_class NOT NULL,
    evidence text NOT NULL,
    seconds float8 NOT NULL,
    status int,
    as_of timestamptz,
    confirms uuid -- the probe whose finding this second look confirms
);
CREATE INDEX probe_result_by_endpoint ON healing.probe_result (endpoint, at);
CREATE INDEX probe_result_by_time ON healing.probe_result (at);
CREATE INDEX probe_result_that_failed ON healing.probe_result (at) WHERE failure_class <> 'ok';
CREATE TRIGGER probe_result_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.probe_result
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Wakes the control path the moment a reader met a failure, healed or not. Equal messages of one
-- transaction arrive as one.
CREATE FUNCTION healing.tell_failed_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'healing_answer_failed',
        json_build_object('endpoint', NEW.endpoint, 'source', NEW.source)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER answer_met_a_failure AFTER INSERT ON healing.answer
    FOR EACH ROW WHEN (NEW.failed OR NEW.failure_class IS NOT NULL)
    EXECUTE FUNCTION healing.tell_failed_answer();

-- Incidents, from the first bad observation to recovery, and every step they took.

-- An endpoint that fails, from the first bad observation to recovery, as it stands now.
CREATE TABLE healing.incident (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint text NOT NULL,
    source text NOT NULL,
    state healing.incident_state NOT NULL,
    state_since timestamptz NOT NULL,
    failure_class healing.failure_class NOT NULL,
    evidence text NOT NULL,
    severity healing.severity NOT NULL,
    root_cause text,
    detected_by text NOT NULL,
    began_at timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    healing_since timestamptz, -- of the latest heal
    healed_at timestamptz, -- the first time readers were served again
    resolved_at timestamptz,
    strategy text,
    fidelity healing.fidelity,
    heals int NOT NULL DEFAULT 0, -- how often it was healed
    place text, -- where the root cause sits: `host query1 of yahoo`
    -- One root cause over many endpoints is one incident with members: heals, routes and states stay
    -- with the incident of each endpoint. The first of them is the parent; null: it stands alone, or
    -- is a parent itself.
    parent_id bigint REFERENCES healing.incident (id)
        -- Nothing is a part of itself, and no two are parts of each other.
        CONSTRAINT incident_parent_came_first CHECK (parent_id < id),
    -- MTTD is detected_at - began_at.
    CONSTRAINT incident_began_before_it_was_detected CHECK (began_at <= detected_at),
    -- MTTR is resolved_at - began_at: an incident without the one is not resolved, nor with it open.
    CONSTRAINT incident_resolved_has_its_time CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
-- An endpoint has at most one incident at a time, however many sensors tick.
CREATE UNIQUE INDEX incident_one_open_per_endpoint
    ON healing.incident (endpoint) WHERE state <> 'resolved';
CREATE INDEX incident_by_endpoint ON healing.incident (endpoint, began_at);
CREATE INDEX incident_by_time ON healing.incident (began_at);
CREATE INDEX incident_by_parent ON healing.incident (parent_id) WHERE parent_id IS NOT NULL;

-- Each step of an incident, in their order.
CREATE TABLE healing.incident_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES healing.incident (id),
    at timestamptz NOT NULL,
    signal text NOT NULL,
    from_state healing.incident_state, -- null for the event that began it
    to_state healing.incident_state NOT NULL,
    note text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    asks_heal boolean NOT NULL,
    -- The database's own clock, where `at` may be a simulated one: see heal_requests.
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX incident_event_by_incident ON healing.incident_event (incident_id, id);
CREATE INDEX incident_event_that_asks ON healing.incident_event (id) WHERE asks_heal;
CREATE TRIGGER incident_event_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.incident_event
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Each verdict on a joint incident that says other than the one before, with the way to it.
CREATE TABLE healing.diagnosis (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES healing.incident (id), -- the parent of then
    at timestamptz NOT NULL,
    root_cause text NOT NULL,
    place text NOT NULL,
    scope text[] NOT NULL, -- endpoints that share it, those included that nobody has asked yet
    members bigint[] NOT NULL, -- the incidents that it explained
    severity healing.severity NOT NULL,
    chain jsonb NOT NULL, -- a list of {question, found, follows}
    rested_on jsonb NOT NULL -- how much was seen of whom, from when on
);
CREATE INDEX diagnosis_by_incident ON healing.diagnosis (incident_id, id);
CREATE TRIGGER diagnosis_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.diagnosis
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Incidents as people count them: parents and those that stand alone, each with all its members. It
-- began with the first, is as bad as the worst, and is over with the last.
CREATE VIEW healing.joint_incident AS
    SELECT parent.id, parent.endpoint, parent.source,
           (ARRAY['escalated', 'open', 'healing', 'healed', 'resolved'])[member.worst]
               ::healing.incident_state AS state,
           member.state_since, parent.failure_class, parent.evidence, parent.severity,
           parent.root_cause, parent.detected_by, member.began_at, member.detected_at,
           member.healing_since, member.healed_at, member.resolved_at, parent.strategy,
           parent.fidelity, member.heals, parent.place, parent.parent_id,
           member.members, member.open_members, member.sources
      FROM healing.incident AS parent
     CROSS JOIN LATERAL (
           SELECT min(array_position(
                      ARRAY['escalated', 'open', 'healing', 'healed', 'resolved'], state::text))
                      AS worst,
                  max(state_since) AS state_since, min(began_at) AS began_at,
                  min(detected_at) AS detected_at, max(healing_since) AS healing_since,
                  CASE WHEN bool_and(healed_at IS NOT NULL) THEN max(healed_at) END AS healed_at,
                  CASE WHEN bool_and(resolved_at IS NOT NULL) THEN max(resolved_at) END
                      AS resolved_at,
                  sum(heals)::int AS heals, count(*)::int AS members,
                  (count(*) FILTER (WHERE resolved_at IS NULL))::int AS open_members,
                  array_agg(DISTINCT source ORDER BY source) AS sources
             FROM healing.incident
            WHERE incident.id = parent.id OR incident.parent_id = parent.id) AS member
     WHERE parent.parent_id IS NULL;

-- Whoever waits for news hears of every step as it is committed.
CREATE FUNCTION healing.tell_incident_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A notice holds 8000 bytes at most, and a note may be an upstream's whole page.
    PERFORM pg_notify('healing_incident', json_build_object(
                'event_id', NEW.id,
                'incident_id', NEW.incident_id,
                'endpoint', incident.endpoint,
                'failure_class', incident.failure_class,
                'signal', NEW.signal,
                'to_state', NEW.to_state,
                'strategy', incident.strategy,
                'fidelity', incident.fidelity,
                'since_detected_s', extract(epoch FROM NEW.at - incident.detected_at),
                'note', left(NEW.note, 200))::text)
       FROM healing.incident
      WHERE incident.id = NEW.incident_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER incident_event_is_told AFTER INSERT ON healing.incident_event
    FOR EACH ROW EXECUTE FUNCTION healing.tell_incident_event();

-- What healing leaves behind for the next reader: routes and snapshots.

-- What served an endpoint's readers in an incident: tried first, until the primary is well again.
CREATE TABLE healing.route (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint text NOT NULL,
    strategy text NOT NULL,
    params jsonb NOT NULL DEFAULT '{}',
    fidelity healing.fidelity NOT NULL,
    incident_id bigint NOT NULL REFERENCES healing.incident (id),
    created_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);
-- A reader follows one route: two would make the answer depend on which was read first.
CREATE UNIQUE INDEX route_one_active_per_endpoint
    ON healing.route (endpoint) WHERE withdrawn_at IS NULL;
CREATE INDEX route_by_incident ON healing.route (incident_id);

CREATE FUNCTION healing.tell_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('healing_route', json_build_object(
        'endpoint', NEW.endpoint,
        'active', NEW.withdrawn_at IS NULL)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER route_is_told AFTER INSERT OR UPDATE ON healing.route
    FOR EACH ROW EXECUTE FUNCTION healing.tell_route();

-- The last good data of each question, for answers that say they are older.
CREATE TABLE healing.snapshot (
    endpoint text NOT NULL,
    request_key text NOT NULL,
    fetched_at timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    provider text NOT NULL,
    reading jsonb NOT NULL,
    body bytea NOT NULL,
    fidelity healing.fidelity NOT NULL,
    PRIMARY KEY (endpoint, request_key)
);
CREATE INDEX snapshot_by_time ON healing.snapshot (fetched_at);

-- When each endpoint is asked next, and what asking may cost.

-- When each endpoint is looked at next.
CREATE TABLE healing.probe_schedule (
    endpoint text PRIMARY KEY,
    source text NOT NULL,
    next_at timestamptz NOT NULL,
    interval_s float8 NOT NULL CHECK (interval_s > 0),
    -- Where it stands among those of its source, for shards: from a hash of its name.
    place int NOT NULL DEFAULT 0 CHECK (place >= 0)
);
CREATE INDEX probe_schedule_due ON healing.probe_schedule (source, next_at);

-- One ledger for all processes: a key that ten of them use has still one quota.
CREATE TABLE healing.key_usage (
    source text NOT NULL,
    key_name text NOT NULL,
    window_kind text NOT NULL CHECK (window_kind IN ('minute', 'day', 'month')),
    window_start timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('probe', 'reader')),
    calls int NOT NULL CHECK (calls >= 0),
    PRIMARY KEY (source, key_name, window_kind, window_start, kind)
);

-- Who was told to wait, and for how long: a key, a host, or the day's quota of a key. Keys stand here
-- by their names alone. All moments are the database's own: whoever writes says how many seconds are
-- left, whoever reads is told how many are, and no two machines' clocks are compared.
CREATE TABLE healing.cooldown (
    source text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('key', 'host', 'quota')),
    name text NOT NULL,
    cause healing.failure_class NOT NULL, -- 'ok': it is over, a call has shown it
    until timestamptz NOT NULL,
    told_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, kind, name)
);

CREATE FUNCTION healing.tell_cooldown() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('healing_cooldown', json_build_object(
                'source', NEW.source,
                'kind', NEW.kind,
                'name', NEW.name,
                'cause', NEW.cause,
                'remaining_s', extract(epoch FROM NEW.until - clock_timestamp()))::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER cooldown_is_told AFTER INSERT OR UPDATE ON healing.cooldown
    FOR EACH ROW EXECUTE FUNCTION healing.tell_cooldown();

-- How many of a key's calls a minute each process may make. Their sum is never over the quota: one
-- gets more when another has less, and the minute is over in which that one used it.
CREATE TABLE healing.key_share (
    source text NOT NULL,
    key_name text NOT NULL,
    process uuid NOT NULL,
    share int NOT NULL CHECK (share >= 0),
    held int NOT NULL CHECK (held >= share), -- with what was used within the minute
    wanted int NOT NULL CHECK (wanted >= 0),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, key_name, process)
);

-- What people are told: alerts and the health report.

-- What people are told of as one thing: all incidents of one source and one root cause, however many
-- endpoints have them; our own connection; a job of Dagster's.
CREATE TABLE healing.alert_group (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL, -- by which the same cause is known again
    source text, -- null: no source's
    root_cause text,
    level healing.severity NOT NULL, -- the highest it had
    -- What is to be said of it: by the first message if that is kept back, by later ones.
    title text NOT NULL,
    body text NOT NULL DEFAULT '',
    owners text[] NOT NULL DEFAULT '{}',
    detail jsonb NOT NULL DEFAULT '{}',
    began_at timestamptz NOT NULL,
    recovered_at timestamptz, -- since then nothing of it is wrong
    resolved_at timestamptz, -- and has stayed well for long enough to say so
    acknowledged_at timestamptz,
    acknowledged_by text,
    CONSTRAINT alert_group_recovers_before_it_resolves CHECK (
        resolved_at IS NULL OR recovered_at <= resolved_at),
    CONSTRAINT alert_group_is_acknowledged_by_somebody CHECK (
        (acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);
-- One cause fires once, however many processes notice.
CREATE UNIQUE INDEX alert_group_one_firing
    ON healing.alert_group (fingerprint) WHERE resolved_at IS NULL;
CREATE INDEX alert_group_by_time ON healing.alert_group (began_at);
CREATE INDEX alert_group_by_source ON healing.alert_group (source, began_at);

-- Which incidents a group speaks of. An incident is told of in one group.
CREATE TABLE healing.alert_group_incident (
    incident_id bigint PRIMARY KEY REFERENCES healing.incident (id),
    group_id bigint NOT NULL REFERENCES healing.alert_group (id),
    joined_at timestamptz NOT NULL
);
CREATE INDEX alert_group_incident_by_group ON healing.alert_group_incident (group_id);

-- A message about a group, saved with what caused it; whether it was sent is its deliveries' matter.
CREATE TABLE healing.alert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    incident_id bigint REFERENCES healing.incident (id),
    level healing.severity NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    -- One message per matter, however many runs notice it.
    dedupe_key text NOT NULL UNIQUE,
    group_id bigint REFERENCES healing.alert_group (id),
    kind text NOT NULL DEFAULT 'fired' CONSTRAINT alert_kind_known CHECK (
        kind IN ('fired', 'raised', 'reminder', 'resolved', 'advisory', 'test')),
    source text,
    owners text[] NOT NULL DEFAULT '{}',
    detail jsonb NOT NULL DEFAULT '{}' -- what the forms of a message are made of
);
CREATE INDEX alert_by_time ON healing.alert (at);
CREATE INDEX alert_by_incident ON healing.alert (incident_id);
CREATE INDEX alert_by_group ON healing.alert (group_id, id);

-- A channel that is down loses none.
CREATE TABLE healing.delivery (
    alert_id bigint NOT NULL REFERENCES healing.alert (id),
    channel text NOT NULL, -- 'web' is the dashboard, which has it at once
    -- merged: told within a later message of its group, because the channel was down meanwhile
    state text NOT NULL CONSTRAINT delivery_state_known CHECK (
        state IN ('pending', 'sent', 'failed', 'merged')),
    tries int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL, -- of a pending one
    sent_at timestamptz,
    error text, -- of the last try that failed
    PRIMARY KEY (alert_id, channel),
    CONSTRAINT delivery_sent_has_its_time CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX delivery_pending ON healing.delivery (next_at) WHERE state = 'pending';

-- Who of a channel's recipients has a message that the others do not have yet: the next try leaves
-- them out.
CREATE TABLE healing.delivery_recipient (
    alert_id bigint NOT NULL,
    channel text NOT NULL,
    recipient text NOT NULL, -- a digest: addresses stand in the environment alone
    PRIMARY KEY (alert_id, channel, recipient),
    FOREIGN KEY (alert_id, channel) REFERENCES healing.delivery (alert_id, channel)
);

CREATE TRIGGER alert_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.alert
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- When alerts were last evaluated: that nobody does can be told by whoever shows them.
CREATE TABLE healing.alert_evaluation (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT alert_evaluation_only_one CHECK (only_one),
    evaluated_at timestamptz NOT NULL
);

-- Somebody knows already, until then.
CREATE TABLE healing.silence (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text, -- null: all
    endpoint text, -- a name, or a pattern with *; null: all
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    reason text NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT silence_ends_after_it_began CHECK (begins_at <= ends_at)
);
CREATE INDEX silence_by_time ON healing.silence (ends_at);

-- What runs of Dagster's failed to do: an asset, an op, a check, or the run itself. It stands until
-- the same was done; times are by the machine's clock, as Dagster's are.
CREATE TABLE healing.dagster_failure (
    run_id text NOT NULL,
    subject text NOT NULL, -- asset:<key>, check:<key>:<name>, op:<job>:<op>, run:<job>
    job text NOT NULL,
    partition text, -- a key, or <first>...<last>; null: not partitioned
    fingerprint text NOT NULL, -- of the alert group that tells of it
    failed_at timestamptz NOT NULL,
    recovered_at timestamptz,
    PRIMARY KEY (run_id, subject)
);
CREATE INDEX dagster_failure_that_stands
    ON healing.dagster_failure (subject) WHERE recovered_at IS NULL;

-- Whoever sends, and whoever shows, hears of a message or of a change to a group as it is committed.
CREATE FUNCTION healing.tell_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('healing_alert', json_build_object(
        'alert_id', NEW.id, 'group_id', NEW.group_id, 'kind', NEW.kind, 'level', NEW.level)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER alert_is_told AFTER INSERT ON healing.alert
    FOR EACH ROW EXECUTE FUNCTION healing.tell_alert();

CREATE FUNCTION healing.tell_alert_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('healing_alert_group', NEW.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER alert_group_is_told AFTER INSERT OR UPDATE ON healing.alert_group
    FOR EACH ROW EXECUTE FUNCTION healing.tell_alert_group();

-- The health of each endpoint over a window, as a run found it.
CREATE TABLE healing.health_report (
    report_at timestamptz NOT NULL,
    endpoint text NOT NULL,
    source text NOT NULL,
    window_s float8 NOT NULL,
    probes int NOT NULL,
    failures int NOT NULL, -- of the probes; the caller's faults are in neither number
    requests int NOT NULL,
    met_fault int NOT NULL, -- requests whose first attempt met a healable failure
    healed_requests int NOT NULL, -- of met_fault
    reader_errors int NOT NULL, -- of requests
    incidents int NOT NULL, -- that stood open at any moment of the window
    uptime float8, -- 1 - failures / probes; null without probes
    error_rate float8, -- reader_errors / requests; null without requests
    healing_rate float8, -- healed_requests / met_fault; null when nothing was met
    p50_s float8, -- of readers' waits; of probes where nobody read
    p95_s float8,
    fidelity_now healing.fidelity,
    state text NOT NULL,
    active_strategy text,
    PRIMARY KEY (report_at, endpoint)
);

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

-- The policy in force.
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
    UNION
    SELECT generate_series(date_bin('1 minute', GREATEST(began_at, from_at), 'epoch'),
                           LEAST(ended_at, to_at - interval '1 microsecond'), interval '1 minute')
      FROM healing.own_outage
     WHERE began_at < to_at AND (ended_at IS NULL OR ended_at >= from_at)
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

-- Health by quarter of an hour, so that a day or a month of it is read without reading every fact.

-- What a quarter of an hour came to, for each endpoint: what pages and reports add up.
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

-- How far back facts reach.

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
CREATE FUNCTION healing.health_in(from_at timestamptz, to_at timestamptz)
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

-- The second opinion of a language model: what was asked, what came back, and what a day may cost.

-- A question that was let out: written before its first byte is sent, with what it may cost.
CREATE TABLE healing.second_opinion_call (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    incident_id bigint NOT NULL REFERENCES healing.incident (id),
    joint_id bigint NOT NULL REFERENCES healing.incident (id), -- the incident as people count it
    digest text NOT NULL, -- of what has to change before it is asked again
    service text NOT NULL,
    model text NOT NULL,
    because text NOT NULL, -- why it was asked: unhealed, always, or on demand
    diagnosis jsonb NOT NULL, -- what the model was told: root cause, place, plan
    reserved_usd numeric(14, 8) NOT NULL CONSTRAINT second_opinion_call_costs CHECK (reserved_usd >= 0)
);
CREATE INDEX second_opinion_call_by_joint ON healing.second_opinion_call (joint_id, id);
CREATE INDEX second_opinion_call_by_incident ON healing.second_opinion_call (incident_id, id);
CREATE INDEX second_opinion_call_by_time ON healing.second_opinion_call (at);
CREATE TRIGGER second_opinion_call_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.second_opinion_call
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- How it ended; at most once. Without a row it is under way, or its process was killed.
CREATE TABLE healing.second_opinion_reply (
    call_id bigint PRIMARY KEY REFERENCES healing.second_opinion_call (id),
    at timestamptz NOT NULL,
    outcome text NOT NULL,
    seconds double precision NOT NULL,
    input_tokens int, -- null: the service did not say
    output_tokens int,
    cache_write_tokens int,
    cache_read_tokens int,
    cost_usd numeric(14, 8) NOT NULL, -- what was reserved, where nobody knows better
    advice jsonb, -- {root_cause, order, confidence, because}, where it passed the check
    reason text NOT NULL DEFAULT '', -- why there is none
    retry_after_s double precision,
    CONSTRAINT second_opinion_reply_has_advice CHECK ((outcome = 'advice') = (advice IS NOT NULL))
);
CREATE TRIGGER second_opinion_reply_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.second_opinion_reply
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- What questions of a UTC day cost, those under way at the most that they can. One row a day, so that
-- whoever reserves waits for whoever did so a moment before.
CREATE TABLE healing.second_opinion_budget (
    day date PRIMARY KEY,
    committed_usd numeric(14, 8) NOT NULL
        CONSTRAINT second_opinion_budget_is_no_credit CHECK (committed_usd >= 0)
);
