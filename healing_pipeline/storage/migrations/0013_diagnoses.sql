-- One root cause over many endpoints is one incident with members. Heals, routes and states stay with
-- the incident of each endpoint; what they have in common is told by joining them.

-- The first of them is the parent; null: it stands alone, or is a parent itself.
ALTER TABLE healing.incident
    ADD COLUMN place text, -- where the root cause sits: `host query1 of yahoo`
    ADD COLUMN parent_id bigint REFERENCES healing.incident (id)
        -- Nothing is a part of itself, and no two are parts of each other.
        CONSTRAINT incident_parent_came_first CHECK (parent_id < id);
CREATE INDEX incident_by_parent ON healing.incident (parent_id) WHERE parent_id IS NOT NULL;

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
