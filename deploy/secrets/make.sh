#!/bin/sh
# Makes the secrets that compose.yaml names, each in a file of its own in this folder. What is there
# already stays. Only the keys of the providers are yours to get: they go to ../providers.env.
set -eu
cd "$(dirname "$0")"
umask 077

make() {  # make NAME VALUE
  if [ ! -e "$1" ]; then
    printf '%s\n' "$2" > "$1"
    # Containers run as another user than you; the folder is closed to everybody else.
    chmod 0444 "$1"
    echo "made $1"
  fi
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

chmod 0700 .
for name in postgres_password healing_owner_password healing_app_password healing_reader_password \
            gateway_token gateway_reader_token; do
  make "$name" "$(random)"
done
at=postgres:5432/healing
make healing_app_url "postgresql://healing_app:$(cat healing_app_password)@$at"
make healing_owner_url "postgresql://healing_owner:$(cat healing_owner_password)@$at"
