#!/bin/sh
# Prints GOROOT as go reports it and as two dirnames give it, then the directories behind both:
# two names of one directory are the same answer.
#
# $1  the timeout of go, in seconds

go_env=$(timeout -s KILL "$1" go env GOROOT 2>/dev/null </dev/null) || go_env=
two_dirnames=$(dirname "$(dirname "$(command -v go)")")
printf '%s\n' "$go_env" "$two_dirnames"
for directory in "$go_env" "$two_dirnames"; do
    if [ -z "$directory" ] || ! cd -P "$directory/" 2>/dev/null; then
        PWD="no directory: $directory"
    fi
    echo "$PWD"
done
