# Puts `trainyard` on this runner, unless it is there already.
#
#   TRAINYARD_SOURCE    where it comes from: the URL of a binary (packed by gzip if it ends with .gz) or of a
#                       wheel; an image, NAME@sha256:…; the URL of Trainyard's git repository; or a path on the
#                       runner, of a wheel, of a checkout or of the binary itself
#   TRAINYARD_REVISION  what it must be: sha256:… of that binary or wheel, or the commit to build of that
#                       repository; without a commit it is the newest, which may be another program tomorrow
#
# Both are variables of the repository, or stand in the workflows (`trainyard init --install-from`).
set -eu

source="${TRAINYARD_SOURCE:-}"
# Logs are read by more people than may read what a URL has before its host.
shown="$(printf '%s' "$source" | sed 's|://[^/]*@|://|')"
revision="${TRAINYARD_REVISION:-}"
folder="${CARGO_HOME:-$HOME/.cargo}/bin"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

fail() {
  echo "::error::$1"
  exit 2
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

download() {
  curl --fail --silent --show-error --location --retry 3 --output "$2" "$1" || fail "cannot download $shown"
}

# A file becomes the program in one step, whoever runs the one before.
put() {
  mkdir -p "$folder"
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
    *) echo "$there"; exit 0 ;;
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
      *) cargo install --locked --git "$source" ${revision:+--rev "$revision"} trainyard ;;
    esac ;;
  *@sha256:*)
    container="$(docker create "$source")"
    docker cp "$container:/trainyard" "$work/trainyard"
    docker rm "$container" > /dev/null
    put "$work/trainyard" ;;
  *)
    if [ -d "$source" ]; then
      cargo install --locked --path "$source/crates/trainyard"
    elif [ -f "$source" ]; then
      if [ -n "$revision" ]; then check "$source"; fi
      put "$source"
    else
      fail "the variable TRAINYARD_SOURCE is neither a URL nor an image nor a path on this runner: $shown"
    fi ;;
esac
if [ -n "${GITHUB_PATH:-}" ]; then echo "$folder" >> "$GITHUB_PATH"; fi
