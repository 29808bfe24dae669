-- What several gateways and several probers know of limits together.

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

-- Where an endpoint stands among those of its source, for shards: from a hash of its name.
ALTER TABLE healing.probe_schedule ADD COLUMN place int NOT NULL DEFAULT 0 CHECK (place >= 0);
