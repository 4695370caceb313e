#!/bin/sh
# The roles of the container image. `exec`, so that the role gets the container's signals itself.
set -eu
app=$(dirname "$(dirname "$(readlink -f "$0")")")
case ${1:-api} in
  api | worker) exec node "$app/apps/${1:-api}/src/main.ts" ;;
  *) exec node "$app/apps/cli/src/main.ts" "$@" ;;
esac
