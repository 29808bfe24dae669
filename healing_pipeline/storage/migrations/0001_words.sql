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
