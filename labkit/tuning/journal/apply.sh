#!/bin/sh
# The head of a change's own commands: DIRECTORY KEY
# A dropped link may leave this command on its way to the board. If it starts after the change
# has been undone and its entry is removed, nothing could undo it again: so it must do nothing.
case $2 in +*) set -- "$1" "$LABKIT_SESSION_KEY${2#+}" ;; esac
set -- "$1"/*-"$2"
[ -d "$1" ] || { echo "the journal has no entry of it any more" >&2; exit 1; }
