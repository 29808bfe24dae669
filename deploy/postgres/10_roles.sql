-- The three roles of an installation and what each may do with its database. To be run by an
-- administrator who is connected to that database, as often as one likes.
--
-- It needs a role that may create roles, and that owns the database or what lies in it already; no
-- superuser.

BEGIN;

SELECT set_config('healing.owner_role', 'healing_owner', true),
       set_config('healing.app_role', 'healing_app', true),
       set_config('healing.reader_role', 'healing_reader', true);

-- The owner changes the schema and takes old facts away. The application appends facts and keeps
-- state, and is what every process connects as. The reader looks: for dashboards of your own.
DO $$
DECLARE
    app text := current_setting('healing.app_role');
    owner text := current_setting('healing.owner_role');
    reader text := current_setting('healing.reader_role');
    each text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('healing roles', 0));
    FOREACH each IN ARRAY ARRAY[owner, app, reader] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = each) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', each);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of the same server was set up at this moment
            END;
        END IF;
    END LOOP;
    -- So that the owner can end the application's connections, as the end of a drill does.
    IF NOT pg_has_role(owner, app, 'MEMBER') THEN
        EXECUTE format('GRANT %I TO %I', app, owner);
    END IF;
    -- Whoever creates a role is not yet allowed to give things to it.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND owner <> current_user THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', owner);
    END IF;
    EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I',
                   current_database(), owner);
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), app);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), reader);
END
$$;

-- The schema and all that is in it are the owner's, also what another role made before.
DO $$
DECLARE
    owner name := current_setting('healing.owner_role');
    statement text;
BEGIN
    IF to_regnamespace('healing') IS NULL THEN
        EXECUTE format('CREATE SCHEMA healing AUTHORIZATION %I', owner);
        RETURN;
    END IF;
    FOR statement IN
        SELECT format('SCHEMA healing') FROM pg_namespace
         WHERE nspname = 'healing' AND pg_get_userbyid(nspowner) <> owner
        UNION ALL
        SELECT format('%s %s', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass)
          FROM pg_class
         WHERE relnamespace = to_regnamespace('healing') AND relkind IN ('r', 'p', 'v')
           AND pg_get_userbyid(relowner) <> owner
        UNION ALL
        SELECT format('ROUTINE %s', oid::regprocedure) FROM pg_proc
         WHERE pronamespace = to_regnamespace('healing') AND pg_get_userbyid(proowner) <> owner
        UNION ALL
        SELECT format('DOMAIN %s', oid::regtype) FROM pg_type
         WHERE typnamespace = to_regnamespace('healing') AND typtype = 'd'
           AND pg_get_userbyid(typowner) <> owner
    LOOP
        EXECUTE format('ALTER %s OWNER TO %I', statement, owner);
    END LOOP;
END
$$;

-- Dagster makes and changes its tables itself, in the schema `public`: they are the application's.
-- Leave this part out where they have a database of their own.
DO $$
DECLARE
    app name := current_setting('healing.app_role');
    each regclass;
BEGIN
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA public TO %I', app);
    FOR each IN
        SELECT oid FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
           AND pg_get_userbyid(relowner) <> app
           AND relname IN (
               'alembic_version', 'asset_check_executions', 'asset_daemon_asset_evaluations',
               'asset_event_tags', 'asset_keys', 'backfill_tags', 'bulk_actions',
               'concurrency_limits', 'concurrency_slots', 'daemon_heartbeats',
               'dynamic_partitions', 'event_logs', 'instance_info', 'instigators', 'job_ticks',
               'jobs', 'kvs', 'pending_steps', 'run_tags', 'runs', 'secondary_indexes',
               'snapshots')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', each, app);
    END LOOP;
END
$$;

SELECT set_config('role', current_setting('healing.owner_role'), true);

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

COMMIT;

-- Give each of them a password, in a session whose statements are not logged:
--     ALTER ROLE healing_app PASSWORD '...';
-- and let healing_pipeline know two of them:
--     HEALING_DATABASE_URL=postgresql://healing_app:...@host:5432/database
--     HEALING_OWNER_DATABASE_URL=postgresql://healing_owner:...@host:5432/database
-- For `healing drill` on this server the owner makes databases and drops them again:
--     ALTER ROLE healing_owner CREATEDB;
