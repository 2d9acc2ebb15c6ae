#!/bin/sh
# Creates the secrets that docker-compose.yml gives to its containers, one file each in .secrets/.
# usage: sh fido/containers/make_secrets.sh [--without-demo]
# Needs only a shell and base64. Never replaces existing secrets: with FERNET_KEYS lost, every name
# is lost.
set -eu
umask 077
cd "$(dirname "$0")/../.."

demo=yes
case "$*" in
"") ;;
--without-demo) demo=no ;;
*)
    sed -n 's/^# usage: /usage: /p' fido/containers/make_secrets.sh >&2
    exit 2
    ;;
esac
if [ -e .secrets ]; then
    echo "There are secrets in .secrets already: nothing was changed." >&2
    exit 1
fi

random() { # BYTES -> as many random ones in URL-safe base64
    head -c "$1" /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_'
}
keep() { # NAME VALUE
    # The containers' own users read them, so the files are world-readable; the folder is not.
    printf '%s\n' "$2" >"$draft/$1"
    chmod 444 "$draft/$1"
}

# Written to a draft folder and renamed, so that an interrupted run leaves nothing half done.
draft=$(mktemp -d .secrets.XXXXXX)
trap 'rm -rf "$draft"' EXIT
database=$(random 24)
redis=$(random 24)
keep POSTGRES_PASSWORD "$database"
keep REDIS_PASSWORD "$redis"
keep REDIS_CONF "requirepass $redis"
keep DATABASE_URL "postgres://fido:$database@db:5432/fido"
keep REDIS_URL "redis://:$redis@redis:6379/0"
keep SECRET_KEY "$(random 48)"
keep JWT_SIGNING_KEY "$(random 48)"
keep FERNET_KEYS "$(random 32)"
keep BLIND_INDEX_KEYS "$(random 32)"
keep METRICS_TOKEN "$(random 24)"
keep FIDO_DEMO_PASSWORD "$([ $demo = no ] || random 9)"
mv "$draft" .secrets
trap - EXIT

echo "The secrets are in .secrets/. Back up FERNET_KEYS and BLIND_INDEX_KEYS, apart from the database."
if [ $demo = yes ]; then
    echo "The demonstration's logins, ada (a customer) and admin (staff), will have the password" \
        "$(cat .secrets/FIDO_DEMO_PASSWORD)"
fi
