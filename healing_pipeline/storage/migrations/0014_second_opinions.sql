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
