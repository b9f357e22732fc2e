# Runs `trainyard` on the host that serves, from a runner elsewhere: by SSH.
#
#   sh trainyard-host.sh send           sends the project's files of this commit there
#   sh trainyard-host.sh install        puts `trainyard` there, as install-trainyard.sh does
#   sh trainyard-host.sh run VERB …     runs a verb on the project there
#   sh trainyard-host.sh get FILE       brings a file of the project from there
#
#   TRAINYARD_SSH_HOST     user@host, or ssh://user@host:port
#   TRAINYARD_HOST_FOLDER  the repository's folder there, from the root on: a project is where it is in the repository, so
#                          that of two of them none has the other's files
#   TRAINYARD_HOST_KEYS    the host's public keys, as known_hosts has them: no other host is spoken to
#   TRAINYARD_SSH_KEY      the private key to sign in with
#   TRAINYARD_HOST_PASSES  names of more variables that a verb has there, with blanks between them: SERVE_TOKEN AWS_REGION
#
# Keys are texts, or paths of files (from the root on): CIs have both.
#
# What is secret goes by files and stdin: everybody on a machine may read the words of a command line.
set -eu

fail() {
  echo "::error::$1" >&2
  exit 2
}

for name in TRAINYARD_SSH_HOST TRAINYARD_HOST_FOLDER TRAINYARD_HOST_KEYS TRAINYARD_SSH_KEY; do
  if [ -z "$(printenv "$name")" ]; then fail "set $name: the head of trainyard-host.sh says what it is."; fi
done
case "$TRAINYARD_SSH_HOST" in -*) fail "TRAINYARD_SSH_HOST is no host: $TRAINYARD_SSH_HOST" ;; esac
case "$TRAINYARD_HOST_FOLDER" in /*) ;; *) fail "TRAINYARD_HOST_FOLDER must begin with /: $TRAINYARD_HOST_FOLDER" ;; esac

work="$(mktemp -d)"
# A job that somebody ends leaves no key on a runner that stays.
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM
umask 077

# Writes a key as ssh reads it, however its lines end.
key() {
  case "$1" in /*) cat "$1" ;; *) printf '%s' "$1" ;; esac > "$work/given"
  tr -d '\r' < "$work/given" > "$2"
  echo >> "$2"
}

key "$TRAINYARD_SSH_KEY" "$work/key"
key "$TRAINYARD_HOST_KEYS" "$work/known_hosts"

# What the runner's machine knows of hosts does not count.
on_host() {
  ssh -T -i "$work/key" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null \
    -o UserKnownHostsFile="$work/known_hosts" -o ConnectTimeout=30 -o ServerAliveInterval=30 "$TRAINYARD_SSH_HOST" "$1"
}

# Runs the script there, whole or not at all: what a broken connection cut off has no end.
there() {
  { printf '{\nset -e\n'; cat "$work/script"; printf '}\n'; } > "$work/whole"
  on_host "sh -s" < "$work/whole"
}

# A word for the shell of the host, whatever is in it.
word() {
  printf "'"
  printf '%s' "$1" | sed "s/'/'\\\\''/g"
  printf "'"
}

# Lines that set these variables there, and where programs are.
variables() {
  for name in "$@"; do
    if value="$(printenv "$name")" && [ -n "$value" ]; then echo "export $name=$(word "$value")"; fi
  done
  # shellcheck disable=SC2016
  echo 'export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$HOME/.local/bin:$PATH"'
}

# Refuses names that no variable has. The key is for the way there, and stays here.
check_passes() {
  set -f # a name is no pattern of files
  for name in ${TRAINYARD_HOST_PASSES:-}; do
    case "$name" in
      [0-9]* | *[!A-Za-z0-9_]* | TRAINYARD_SSH_KEY | PATH) fail "TRAINYARD_HOST_PASSES: $name is not passed on" ;;
    esac
    if [ -z "$(printenv "$name")" ]; then echo "::warning::$name of TRAINYARD_HOST_PASSES is not set here" >&2; fi
  done
}

inside="$(git rev-parse --show-prefix)"
folder="$(word "$TRAINYARD_HOST_FOLDER/${inside%/}")"
case "${1:-}" in
  send)
    git archive --format=tar --output="$work/files" HEAD .
    on_host "mkdir -p $folder && tar -x -f - -C $folder" < "$work/files" ;;
  install)
    variables TRAINYARD_SOURCE TRAINYARD_REVISION > "$work/script"
    cat "$(dirname "$0")/install-trainyard.sh" >> "$work/script"
    there ;;
  run)
    shift
    check_passes
    # shellcheck disable=SC2086
    variables MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN \
      GITHUB_ACTOR GITLAB_USER_LOGIN ${TRAINYARD_HOST_PASSES:-} > "$work/script" # who releases is who started the job
    echo "cd $folder" >> "$work/script"
    line="exec trainyard"
    before=""
    for argument in "$@"; do
      # What an earlier run left is not brought back as what this one says.
      case "$before" in --summary | --output) echo "rm -f $(word "$argument")" >> "$work/script" ;; esac
      line="$line $(word "$argument")"
      before="$argument"
    done
    echo "$line < /dev/null" >> "$work/script"
    there ;;
  get)
    on_host "cat $folder/$(word "${2:?a file}")" > "$work/file"
    mkdir -p "$(dirname "$2")"
    mv "$work/file" "$2" ;;
  *) fail "send, install, run or get, and not ${1:-nothing}" ;;
esac
