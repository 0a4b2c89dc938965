#!/bin/sh
# Write an entry: DIRECTORY DESCRIPTION RESOURCE yes|no UNDO KEY BACKUP...
umask 022
directory=$1 key=$6
case $key in +*) key=$LABKIT_SESSION_KEY${key#+} ;; esac
new="$directory/.new.$$"
trap 'rm -rf "$new"; rmdir "$directory" "${directory%/*}" 2>/dev/null || :' EXIT
rm -rf "$directory"/.new.* "$directory"/.done.*
# Anybody may list the entries; the saved files are for root alone.
# shellcheck disable=SC2174
mkdir -p -m 700 "$new/kept"
read -r boot </proc/sys/kernel/random/boot_id
printf '%s\n' "$boot" >"$new/boot"
printf '%s\n' "$2" >"$new/what"
printf '%s\n' "$LABKIT_SESSION" >"$new/by"
printf '%s\n' "$3" >"$new/subject"
printf '%s\n' "$4" >"$new/lasting"
printf '%s\n' "$5" >"$new/undo"
shift 6
number=0
for path; do
    if [ -e "$path" ] || [ -L "$path" ]; then cp -a -- "$path" "$new/kept/$number"; fi
    number=$((number + 1))
done
sync -f "$new"
last=000000
for entry in "$directory"/[0-9]*; do
    if [ -d "$entry" ]; then last=${entry##*/}; fi
done
next=$((1${last%%-*} + 1))  # without the leading 1 the number would be octal
mv -T "$new" "$directory/${next#1}-$key"
trap - EXIT
sync -f "$directory"
