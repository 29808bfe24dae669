#!/bin/sh
# Run once, when the database is made: the roles of 10_roles.sql get their passwords.
set -eu
for role in healing_owner healing_app healing_reader; do
  # From psql's environment, so that it stands in no command line; and in no log of the server.
  PASSWORD=$(cat "${HEALING_SECRETS_DIR:-/run/secrets}/${role}_password")
  export PASSWORD
  psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --output /dev/null \
       --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<SQL
\\getenv password PASSWORD
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
ALTER ROLE $role PASSWORD :'password';
SQL
done
