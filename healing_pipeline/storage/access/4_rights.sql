-- What the application and the reader may do with each table; run by the owner after every
-- migration too. A table without a line here is read only, and one whose trigger refuses changes
-- is appended to.
DO $$
DECLARE
    app text := nullif(current_setting('healing.app_role', true), '');
    reader text := nullif(current_setting('healing.reader_role', true), '');
    each record;
BEGIN
    IF app IS NULL OR app = current_user THEN
        RETURN; -- one role is all there is
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader) THEN
        reader := NULL;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA healing TO %I', app);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA healing FROM %I', app);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA healing TO %I', app);
    EXECUTE format('GRANT EXECUTE ON ALL ROUTINES IN SCHEMA healing TO %I', app);
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA healing GRANT SELECT ON TABLES TO %I', app);
    FOR each IN
        -- Facts.
        SELECT tgrelid::regclass AS place, 'INSERT' AS rights
          FROM pg_trigger
          JOIN pg_proc ON pg_proc.oid = tgfoid
         WHERE proname = 'refuse_change' AND pronamespace = 'healing'::regnamespace
        UNION ALL
        -- State, and what learning folds anew.
        SELECT to_regclass('healing.' || state.name), state.rights
          FROM (VALUES
                   ('incident', 'INSERT, UPDATE'),
                   ('route', 'INSERT, UPDATE'),
                   ('snapshot', 'INSERT, UPDATE'),
                   ('probe_schedule', 'INSERT, UPDATE, DELETE'),
                   ('key_usage', 'INSERT, UPDATE'),
                   ('cooldown', 'INSERT, UPDATE'),
                   ('key_share', 'INSERT, UPDATE, DELETE'),
                   ('own_outage', 'INSERT, UPDATE'),
                   ('alert_group', 'INSERT, UPDATE'),
                   ('alert_group_incident', 'INSERT, UPDATE'),
                   ('alert_evaluation', 'INSERT, UPDATE'),
                   ('delivery', 'INSERT, UPDATE'),
                   ('delivery_recipient', 'INSERT'),
                   ('silence', 'INSERT, UPDATE'),
                   ('maintenance', 'INSERT, UPDATE, DELETE'),
                   ('dagster_failure', 'INSERT, UPDATE, DELETE'),
                   ('second_opinion_budget', 'INSERT, UPDATE'),
                   ('health_report', 'INSERT, UPDATE'),
                   ('health_quarter', 'INSERT, DELETE'),
                   ('health_quarter_news', 'INSERT, DELETE'),
                   ('health_fold', 'UPDATE'),
                   ('inner_knowledge', 'INSERT, DELETE'),
                   ('inner_pair', 'INSERT, DELETE'),
                   ('inner_parameter', 'INSERT, DELETE'),
                   ('inner_observation', 'INSERT, DELETE'),
                   ('inner_fold', 'INSERT, UPDATE'),
                   ('outer_knowledge', 'INSERT, DELETE'),
                   ('outer_fold', 'INSERT')
               ) AS state (name, rights)
         WHERE to_regclass('healing.' || state.name) IS NOT NULL
    LOOP
        EXECUTE format('GRANT %s ON %s TO %I', each.rights, each.place, app);
    END LOOP;

    IF reader IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA healing TO %I', reader);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA healing FROM %I', reader);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA healing TO %I', reader);
    EXECUTE format('GRANT EXECUTE ON ALL ROUTINES IN SCHEMA healing TO %I', reader);
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA healing GRANT SELECT ON TABLES TO %I', reader);
    -- Not for the reader: what an upstream sent, word for word, and whom alerts go to.
    FOR each IN
        SELECT to_regclass('healing.' || hidden.name) AS place, string_agg(
                   format('%I', attname), ', ' ORDER BY attnum) FILTER (
                   WHERE attname <> ALL (hidden.columns)) AS rest
          FROM (VALUES ('snapshot', ARRAY['body']),
                       ('delivery', ARRAY['error']),
                       ('delivery_recipient', ARRAY['recipient'])) AS hidden (name, columns)
          JOIN pg_attribute ON attrelid = to_regclass('healing.' || hidden.name)
         WHERE attnum > 0 AND NOT attisdropped
         GROUP BY hidden.name
    LOOP
        EXECUTE format('REVOKE SELECT ON %s FROM %I', each.place, reader);
        EXECUTE format('GRANT SELECT (%s) ON %s TO %I', each.rest, each.place, reader);
    END LOOP;
END
$$;
