-- The roles of an installation; what they may do stands in `access/`.

-- name: take_turn()!
-- Wait until nobody else sets up this server; lasts until the connection is closed.
SELECT pg_advisory_lock(hashtextextended('healing embedded', 0));

-- name: name_roles(owner, app, reader)!
-- For `access/*.sql`; until the end of the transaction.
SELECT set_config('healing.owner_role', :owner, true),
       set_config('healing.app_role', :app, true),
       set_config('healing.reader_role', :reader, true);

-- name: become_owner()!
-- Until the end of the transaction.
SELECT set_config('role', current_setting('healing.owner_role'), true);

-- name: database_owners(names)
-- Without a row for a database that is not there.
SELECT datname AS name, pg_get_userbyid(datdba)::text AS owner
  FROM pg_database
 WHERE datname = ANY (:names);

-- name: rights()^
-- What the role of this connection may do that the application does not need.
SELECT current_user::text AS role,
       (rolsuper OR COALESCE((SELECT has_schema_privilege(oid, 'CREATE')
                                     OR pg_has_role(nspowner, 'MEMBER')
                                FROM pg_namespace WHERE nspname = 'healing'), false))
           AS changes_schema,
       (rolsuper OR COALESCE((SELECT bool_or(has_table_privilege(tgrelid, 'DELETE'))
                                FROM pg_trigger
                                JOIN pg_proc ON pg_proc.oid = tgfoid
                               WHERE proname = 'refuse_change'), false)) AS deletes_facts
  FROM pg_roles
 WHERE rolname = current_user;
