-- Alerts that mean something: one group for one root cause, messages about it, a delivery to each
-- channel, and what keeps them quiet.

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

-- A row of `alert` becomes one message about a group; whether it was sent is its deliveries' matter.
ALTER TABLE healing.alert
    ADD COLUMN group_id bigint REFERENCES healing.alert_group (id),
    ADD COLUMN kind text NOT NULL DEFAULT 'fired' CONSTRAINT alert_kind_known CHECK (
        kind IN ('fired', 'raised', 'reminder', 'resolved', 'advisory', 'test')),
    ADD COLUMN source text,
    ADD COLUMN owners text[] NOT NULL DEFAULT '{}',
    ADD COLUMN detail jsonb NOT NULL DEFAULT '{}'; -- what the forms of a message are made of
CREATE INDEX alert_by_group ON healing.alert (group_id, id);

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

-- Messages of before were nobody's to send.
INSERT INTO healing.delivery (alert_id, channel, state, next_at, sent_at)
    SELECT id, 'web', 'sent', at, COALESCE(sent_at, at) FROM healing.alert;
ALTER TABLE healing.alert DROP COLUMN sent_at;

CREATE TRIGGER alert_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.alert
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

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

-- Readers without an answer are few, and looked for each second.
CREATE INDEX answer_that_failed ON healing.answer (at) WHERE failed;
