#!/bin/sh
# Makes the secrets of this example, random ones, once: what is there already stays.
#
# The folder is for you alone. The files in it are read by the users that containers run as.
set -eu
cd "$(dirname "$0")"
[ ! -e secrets ] || { echo "secrets: they are there already" >&2; exit 1; }
# The program on this machine, or the image's.
trainyard=${TRAINYARD:-docker run --rm -i ${TRAINYARD_IMAGE:-localhost/trainyard}}

random() { head -c 32 /dev/urandom | od -A n -t x1 | tr -d ' \n'; }

umask 022
mkdir -m 700 secrets
database=$(random)
model=$(random)
printf '%s' "$database" >secrets/database_password
printf 'postgresql://trainyard:%s@postgres:5432/trainyard\n' "$database" >secrets/database_uri
echo "$model" | $trainyard server hash-password --user model >secrets/users
printf '[mlflow]\nmlflow_tracking_username = model\nmlflow_tracking_password = %s\n' "$model" >secrets/registry
# Yours, where ARTIFACTS is a bucket.
printf '[default]\naws_access_key_id = key\naws_secret_access_key = secret\n' >secrets/s3_credentials
