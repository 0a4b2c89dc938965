#!/bin/sh
# Print the counters of the unit's own cgroup, each line with a mark before it. systemd runs this
# in the cgroup after the main process; when the unit ends, the counters are gone. Only what the
# shell has built in is used, because the cgroup may have no memory left for another program.
IFS=: read -r _ _ group </proc/self/cgroup
cd "/sys/fs/cgroup$group" || :
echo "@@labkit result $SERVICE_RESULT"
echo "@@labkit exit $EXIT_CODE $EXIT_STATUS"
while read -r key value; do
    case $key in Cpus_allowed_list:) echo "@@labkit Cpus_allowed_list $value" ;; esac
done </proc/self/status
for file in memory.peak memory.max memory.high memory.swap.max cpu.max cpuset.cpus.effective; do
    if read -r value <$file; then echo "@@labkit $file $value"; fi
done 2>/dev/null
for file in memory.events cpu.stat; do
    while read -r key value; do echo "@@labkit $file/$key $value"; done <$file
done 2>/dev/null
while read -r key value; do
    case $key in workingset_refault_file) echo "@@labkit memory.stat/$key $value" ;; esac
done 2>/dev/null <memory.stat
exit 0
