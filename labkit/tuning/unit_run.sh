#!/bin/bash
# Run a unit and sample its memory until its main process ends: NAME INTERVAL SYSTEMD-RUN ARGV...
# Only what bash has built in is used for a sample: a fork, even for a pause, would take longer
# than the sample. The samples are printed after the program's own output.
cd / || exit
start=$EPOCHREALTIME name=$1 interval=$2
shift 2
"$@" &
run=$!
group=/sys/fs/cgroup/system.slice/$name
high='' max='' oom_kill='' samples=''
exec {never}<> <(:)
{
    until read -r main <"$group/cgroup.procs" || ! kill -0 "$run"; do
        read -rt 0.01 -u "$never"
    done
    while kill -0 "${main:-$run}"; do
        if read -r bytes <"$group/memory.current"; then
            while read -r key value; do
                case $key in
                high) high=$value ;;
                max) max=$value ;;
                oom_kill) oom_kill=$value ;;
                esac
            done <"$group/memory.events"
            samples+="@@labkit sample $EPOCHREALTIME $bytes $high $max $oom_kill"$'\n'
        fi
        read -rt "$interval" -u "$never"
    done
} 2>/dev/null
wait "$run"
printf %s "$samples"
# journalctl itself waits for ever where the journal does not answer.
timeout 10 journalctl --sync 2>/dev/null
journalctl -qb -o cat -u "$name" --since "@$start" 2>/dev/null | while IFS= read -r line; do
    echo "@@labkit journal $line"
done
