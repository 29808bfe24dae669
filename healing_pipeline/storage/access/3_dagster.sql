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
