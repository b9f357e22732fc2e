# Puts `trainyard` on this runner, unless it is there already.
#
#   TRAINYARD_SOURCE    where it comes from: the URL of Trainyard's git repository, or a path on the
#                       runner, of a checkout of it or of the binary itself
#   TRAINYARD_REVISION  the commit to build of that repository; without one it is the newest, which
#                       may be another program tomorrow
#
# Both are variables of the repository, or stand in the workflows (`trainyard init --install-from`).
set -eu
if command -v trainyard; then exit 0; fi

source="${TRAINYARD_SOURCE:-}"
revision="${TRAINYARD_REVISION:-}"
folder="${CARGO_HOME:-$HOME/.cargo}/bin"
if [ -z "$source" ]; then
  echo "::error::trainyard is not on this runner: set the repository's variable TRAINYARD_SOURCE to the URL of Trainyard's git repository, or to the path of a checkout of it or of the binary on the runner."
  exit 2
elif [ "${source#*://}" != "$source" ]; then
  cargo install --locked --git "$source" ${revision:+--rev "$revision"} trainyard
elif [ -d "$source" ]; then
  cargo install --locked --path "$source/crates/trainyard"
elif [ -f "$source" ]; then
  mkdir -p "$folder"
  install -m 755 "$source" "$folder/trainyard"
else
  echo "::error::the variable TRAINYARD_SOURCE is neither a URL nor a path on this runner: $source"
  exit 2
fi
if [ -n "${GITHUB_PATH:-}" ]; then echo "$folder" >> "$GITHUB_PATH"; fi
