#!/bin/sh
# Undo an entry and close it: DIRECTORY KEY. Exit status 76: a later change comes first.
# Every step may be cut short and repeated: the entry goes only when all is as it was.
case $2 in +*) set -- "$1" "$LABKIT_SESSION_KEY${2#+}" ;; esac
set -- "$1" "$2" "$1"/*-"$2"
[ -d "$3" ] || exit 0
cd "$3" || exit
read -r resource <subject
read -r persistent <lasting
read -r entry_boot <boot
read -r now </proc/sys/kernel/random/boot_id
later=no
for other in "$1"/[0-9]*; do
    read -r changed <"$other/subject"
    if [ "$later" = yes ] && [ "$changed" = "$resource" ]; then
        cat "$other/what" >&2
        exit 76
    fi
    if [ "$other" = "$3" ]; then later=yes; fi
done
if [ "$persistent" = yes ] || [ "$entry_boot" = "$now" ]; then sh -eu ./undo; fi
cd /
mv -T "$3" "$1/.done.$2"
