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
