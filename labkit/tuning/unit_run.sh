#!/bin/bash
# Run a unit and sample its memory until its main process ends: NAME INTERVAL SYSTEMD-RUN ARGV...
# Only what bash has built in is used for a sample. The samples are printed after the program's own
# output. The pause is not `read -t`: where its time is over before it begins to wait, as on a board
# under load, bash 5.2 restores a signal mask that it never saved. With SIGCHLD blocked, a child
# that ended stays a zombie, which `kill -0` finds for ever.
cd / || exit
start=$EPOCHREALTIME name=$1 interval=$2
shift 2
"$@" &
run=$!
group=/sys/fs/cgroup/system.slice/$name
high='' max='' oom_kill='' samples=''
{
    until read -r main <"$group/cgroup.procs" || ! kill -0 "$run"; do
        sleep 0.01
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
        sleep "$interval"
    done
} 2>/dev/null
wait "$run"
printf %s "$samples"
journalctl --sync 2>/dev/null
journalctl -qb -o cat -u "$name" --since "@$start" 2>/dev/null | while IFS= read -r line; do
    echo "@@labkit journal $line"
done
