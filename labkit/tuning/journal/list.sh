#!/bin/sh
# Print key, description, session, yes|no and boot of each entry, then the boot of now: DIRECTORY
for entry in "$1"/[0-9]*; do
    # Another session may remove it meanwhile.
    { read -r what <"$entry/what" && read -r by <"$entry/by" && read -r lasting <"$entry/lasting" &&
    read -r boot <"$entry/boot"; } 2>/dev/null || continue
    printf '%s\n' "${entry##*-}" "$what" "$by" "$lasting" "$boot"
done
read -r now </proc/sys/kernel/random/boot_id
echo "$now"
