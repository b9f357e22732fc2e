# Puts `trainyard` on this runner, unless it is there already.
#
#   TRAINYARD_SOURCE    where it comes from: the URL of a binary (packed by gzip if it ends with .gz) or of a
#                       wheel; an image, NAME@sha256:…; the URL of Trainyard's git repository; or a path on the
#                       runner, of a wheel, of a checkout or of the binary itself
#   TRAINYARD_REVISION  what it must be: sha256:… of that binary or wheel, or the commit to build of that
#                       repository; without a commit it is the newest, which may be another program tomorrow
#
# A program that was built from a commit has that commit and its own SHA-256 beside it (trainyard.commit): another one that is
# on the runner is not used in its place.
#
# Both are variables of the repository, or stand in the workflows (`trainyard init --install-from`).
set -eu

source="${TRAINYARD_SOURCE:-}"
# Logs are read by more people than may read what a URL has before its host.
shown="$(printf '%s' "$source" | sed 's|://[^/]*@|://|')"
revision="${TRAINYARD_REVISION:-}"
folder="${CARGO_HOME:-$HOME/.cargo}/bin"
# Else cargo might build into another folder, and what is in this one were taken for what it built.
export CARGO_INSTALL_ROOT="${folder%/bin}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

fail() {
  echo "::error::$1"
  exit 2
}

# Whether something is to be built of a commit.
is_commit() {
  case "$revision" in "" | sha256:*) return 1 ;; *) return 0 ;; esac
}

# SHA-256 of a file; macOS has another tool.
digest_of() {
  if command -v sha256sum > /dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# Refuses a file that is not what the workflows name.
check() {
  found="$(digest_of "$1")"
  if [ "sha256:$found" != "$revision" ]; then
    fail "$shown is not what was asked for: its SHA-256 is $found, and TRAINYARD_REVISION is $revision."
  fi
}

# The URL may have credentials in it, and everybody on the machine may read the words of a command line.
download() {
  case "$1" in *[\"\\[:space:]]*) fail "the variable TRAINYARD_SOURCE is no URL: $shown" ;; esac
  printf 'url = "%s"\n' "$1" \
    | curl --config - --fail --silent --show-error --location --retry 3 --output "$2" || fail "cannot download $shown"
}

# Builds the program of a git repository. What the URL has before its host reaches git by variables, not by words.
build() {
  url="$source"
  case "$source" in http*://*) url="$shown" ;; esac
  if [ "$url" != "$source" ]; then
    case "$source" in
      *://*:*@*) whole="$source" ;;
      *) whole="$(printf '%s' "$source" | sed 's|@|:@|')" ;; # a token alone
    esac
    said="$(printf 'url=%s\n\n' "$whole" | git credential fill)" || fail "git cannot read the credentials of $shown"
    TRAINYARD_GIT_USER="$(printf '%s\n' "$said" | sed -n 's/^username=//p')"
    TRAINYARD_GIT_PASSWORD="$(printf '%s\n' "$said" | sed -n 's/^password=//p')"
    host="$(printf '%s' "$shown" | sed 's|\(://[^/]*\).*|\1|')"
    export TRAINYARD_GIT_USER TRAINYARD_GIT_PASSWORD GIT_CONFIG_COUNT=2 CARGO_NET_GIT_FETCH_WITH_CLI=true
    # The first forgets helpers of this machine, who may know another password.
    export GIT_CONFIG_KEY_0="credential.$host.helper" GIT_CONFIG_VALUE_0=""
    export GIT_CONFIG_KEY_1="credential.$host.helper"
    # shellcheck disable=SC2016
    export GIT_CONFIG_VALUE_1='!f() { printf "username=%s\npassword=%s\n" "$TRAINYARD_GIT_USER" "$TRAINYARD_GIT_PASSWORD"; }; f'
  fi
  cargo install --locked --force --git "$url" ${revision:+--rev "$revision"} trainyard
}

# A checkout that git knows is the commit that is asked for. The action's own is none: the runner took it by that commit.
check_checkout() {
  if ! is_commit || [ "$source" = "${GITHUB_ACTION_PATH:-}" ]; then return; fi
  head="$(git -C "$source" rev-parse HEAD)" || fail "$source is no checkout of git, so nobody can tell whether it is $revision."
  if [ "$head" != "$revision" ]; then fail "$source is a checkout of $head, and TRAINYARD_REVISION is $revision."; fi
  if [ -n "$(git -C "$source" status --porcelain)" ]; then fail "$source has changes, so it is not $revision."; fi
}

# Says beside the program which commit it is of; a branch or a tag may be another one tomorrow.
mark() {
  case "$revision" in *[!0-9a-f]*) return ;; esac
  if [ "${#revision}" -ge 40 ] && [ -f "$folder/trainyard" ]; then
    echo "$revision $(digest_of "$folder/trainyard")" > "$folder/trainyard.commit"
  fi
}

# A file becomes the program in one step, whoever runs the one before.
put() {
  mkdir -p "$folder"
  rm -f "$folder/trainyard.commit"
  install -m 755 "$1" "$folder/trainyard.new"
  mv -f "$folder/trainyard.new" "$folder/trainyard"
}

put_wheel() {
  python3 -m zipfile -e "$1" "$work/wheel"
  put "$work"/wheel/*.data/scripts/trainyard
}

if there="$(command -v trainyard)"; then
  case "$source $revision" in
    *.whl\ sha256:* | *@sha256:*) ;;
    *\ sha256:*)
      # Another release than the workflows name is none.
      if [ "sha256:$(digest_of "$there")" = "$revision" ]; then echo "$there"; exit 0; fi ;;
    *)
      if ! is_commit; then echo "$there"; exit 0; fi
      if [ "$(cat "$there.commit" 2> /dev/null)" = "$revision $(digest_of "$there")" ]; then echo "$there"; exit 0; fi ;;
  esac
fi

case "$source" in
  "")
    fail "trainyard is not on this runner: set the repository's variable TRAINYARD_SOURCE to the URL of Trainyard's git repository, to that of a binary or a wheel (with its SHA-256 in TRAINYARD_REVISION), to an image, or to a path on the runner." ;;
  *://*.whl)
    download "$source" "$work/trainyard.whl"
    check "$work/trainyard.whl"
    put_wheel "$work/trainyard.whl" ;;
  *.whl)
    if [ -n "$revision" ]; then check "$source"; fi
    put_wheel "$source" ;;
  *://*)
    case "$revision" in
      sha256:*)
        download "$source" "$work/download"
        case "$source" in
          *.gz) gzip --decompress --stdout < "$work/download" > "$work/trainyard" ;;
          *) mv "$work/download" "$work/trainyard" ;;
        esac
        check "$work/trainyard"
        put "$work/trainyard" ;;
      *)
        build
        mark ;;
    esac ;;
  *@sha256:*)
    container="$(docker create "$source")"
    docker cp "$container:/trainyard" "$work/trainyard"
    docker rm "$container" > /dev/null
    put "$work/trainyard" ;;
  *)
    if [ -d "$source" ]; then
      check_checkout
      cargo install --locked --force --path "$source/crates/trainyard"
      mark
    elif [ -f "$source" ]; then
      if [ -n "$revision" ]; then check "$source"; fi
      put "$source"
    else
      fail "the variable TRAINYARD_SOURCE is neither a URL nor an image nor a path on this runner: $shown"
    fi ;;
esac
if [ -n "${GITHUB_PATH:-}" ]; then echo "$folder" >> "$GITHUB_PATH"; fi
