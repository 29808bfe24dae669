#!/bin/sh
# Gives secrets that come as files to programs that read their environment: for each variable
# NAME_FILE that names a file below the folder of secrets, NAME becomes what the file holds. A variable
# that is set already stays. Then it becomes the command.
set -eu

secrets=${HEALING_SECRETS_DIR:-/run/secrets}

for name in $(env | sed -n 's/^\([A-Z][A-Z0-9_]*\)_FILE=.*/\1/p'); do
  eval "file=\${${name}_FILE}"
  case $file in
    "$secrets"/*) ;;
    *) continue ;;
  esac
  if eval "[ -n \"\${$name:-}\" ]"; then
    continue
  fi
  if [ ! -r "$file" ]; then
    echo "entrypoint: ${name}_FILE names $file, which cannot be read by $(id -u):$(id -g)." >&2
    exit 1
  fi
  value=$(cat "$file")
  if [ -z "$value" ]; then
    echo "entrypoint: $file, which ${name}_FILE names, is empty." >&2
    exit 1
  fi
  export "$name=$value"
done

exec "$@"
