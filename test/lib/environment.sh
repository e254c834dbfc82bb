# shellcheck shell=bash
# What every script under test/ starts with: packages, a private copy of the tree, builds, clusters.
#
#     . test/lib/environment.sh
#     need_packages "${build_packages[@]}"
#     enter_sandbox "$0" "$@"      # from here on: an ordinary user, in a copy of the tree that is removed at the end
#
# Nothing here touches a system cluster, installs into the server's directories or writes to the checkout.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
pg_major=${PG_MAJOR:-15}
: "${PG_CONFIG:=/usr/lib/postgresql/$pg_major/bin/pg_config}"

build_packages=(
    build-essential "postgresql-$pg_major" "postgresql-server-dev-$pg_major" libpq-dev libssl-dev openssl
    python3 python3-cryptography
)
# shellcheck disable=SC2034
test_packages=("${build_packages[@]}" libipc-run-perl clang clang-tidy cppcheck)

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# Install what is missing (Debian). What is there already is neither upgraded nor configured.
need_packages() {
    command -v dpkg-query >/dev/null || return 0
    local package missing=() sudo=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "These packages are missing; install them as root: apt-get install ${missing[*]}"
        sudo=(sudo)
        [ -t 0 ] || sudo=(sudo -n)
    fi
    say "installing ${missing[*]}"
    "${sudo[@]}" bash "$root/test/lib/install-packages" "${missing[@]}" ||
        die "Could not install these packages; install them as root: apt-get install ${missing[*]}"
}

# Copy what git tracks or would track (everything but build products where there is no git) from $1 into $2.
copy_tree() {
    (
        cd "$1"
        if [ -e .git ] && command -v git >/dev/null; then
            git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
                while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done
        else
            find . \( -type f -o -type l \) ! -path './.git/*' ! -name '*.[od]' ! -name '*.so' ! -name '*.bc' -print0
        fi | tar --null --no-recursion -T - -cf -
    ) | tar -xf - -C "$2"
}

# A new directory for everything this run writes; short, because socket paths end at 107 bytes.
make_work_directory() {
    work=$(mktemp -d -t gl.XXXXXX)
    if [ ${#work} -gt 60 ]; then
        rmdir "$work"
        work=$(TMPDIR='' mktemp -d -t gl.XXXXXX)
    fi
}

# Every process that works inside our directory, wherever it was reparented to: scripts, servers, clients.
processes_inside() {
    local link
    for link in /proc/[0-9]*/cwd; do
        case $(readlink "$link" 2>/dev/null || true) in
            "$1" | "$1/"* | "$1 (deleted)") link=${link#/proc/}; echo "${link%/cwd}" ;;
        esac
    done
}

# SIGQUIT makes a postmaster shut down at once and release its shared memory.
end_processes_inside() {
    local signal pids tries
    for signal in QUIT KILL; do
        for tries in {1..50}; do
            pids=$(processes_inside "$1")
            [ -n "$pids" ] || return 0
            # shellcheck disable=SC2086
            [ "$tries" != 1 ] || kill -s "$signal" $pids 2>/dev/null || true
            sleep 0.2
        done
    done
}

leave_sandbox() {
    trap '' INT TERM HUP
    [ -z "${child:-}" ] || kill -s TERM -- "-$child" 2>/dev/null || true
    end_processes_inside "$work"
    if [ -n "${KEEP:-}" ] && [ -d "$work/out" ]; then
        mkdir -p "$KEEP" && cp -r "$work/out/." "$KEEP/"
    fi
    rm -rf "$work"
}

# Run script $1 with its arguments again, inside; returns only there. Root becomes nobody: initdb refuses root, and no
# file of a system cluster belongs to nobody.
enter_sandbox() {
    if [ -n "${GOVLEDGER_WORK:-}" ]; then
        cd "$root"
        return 0
    fi
    [ -x "$PG_CONFIG" ] || PG_CONFIG=$(command -v pg_config) || die "No pg_config found: set PG_CONFIG."
    local script=$1 work child='' status=0 user=() variable kept=()
    shift
    script=$(realpath --relative-to="$root" "$script")
    make_work_directory
    trap leave_sandbox EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$work/tree" "$work/home" "$work/tmp" "$work/out"
    copy_tree "$root" "$work/tree"
    if [ "$(id -u)" = 0 ]; then
        chown -R "nobody:$(id -g nobody)" "$work"
        user=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --inh-caps=-all --no-new-privs)
    fi
    # Sample data too large for the tree; tests that want it skip where it is not.
    [ ! -d "${GOVLEDGER_SHARED:=$root/../shared}" ] || GOVLEDGER_SHARED=$(realpath "$GOVLEDGER_SHARED")
    # A clean environment: no PGHOST, no MAKEFLAGS, no LD_PRELOAD of the caller decides a test.
    for variable in ONLY TESTS CI TERM "${!GOVLEDGER_@}" "${!DEMO_@}" "${!BENCH_@}" "${!SOAK_@}"; do
        [ -z "${!variable:-}" ] || kept+=("$variable=${!variable}")
    done
    setsid "${user[@]}" env -i "${kept[@]}" GOVLEDGER_WORK="$work" PG_CONFIG="$PG_CONFIG" PG_MAJOR="$pg_major" \
        HOME="$work/home" TMPDIR="$work/tmp" LANG=C.UTF-8 PAGER=cat PYTHONDONTWRITEBYTECODE=1 \
        PATH="$("$PG_CONFIG" --bindir):/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin" \
        bash -c 'cd "$1" && shift && exec bash "$@"' bash "$work/tree" "$script" "$@" <&0 &
    child=$!
    wait "$child" || status=$?
    exit "$status"
}

# build NAME [make argument]...: build a copy of the tree in $work/NAME and install it into $work/NAME.stage, once.
build() {
    local name=$1 directory=$GOVLEDGER_WORK/$1
    shift
    [ ! -e "$directory.conf" ] || return 0
    mkdir "$directory"
    copy_tree "$root" "$directory"
    if ! make -C "$directory" -s -k -j2 PG_CONFIG="$PG_CONFIG" DESTDIR="$directory.stage" "$@" all >"$directory.log" 2>&1 ||
        ! make -C "$directory" -s PG_CONFIG="$PG_CONFIG" DESTDIR="$directory.stage" "$@" install >>"$directory.log" 2>&1
    then
        head -n 100 "$directory.log"
        return 1
    fi
    stage_conf "$directory.stage" >"$directory.conf"
}

# Settings that make a server load the extension from stage directory $1.
stage_conf() {
    local stage=$1 settings
    settings=$("$(pg --bindir)/postgres" --describe-config | cut -f1)
    if grep -qx extension_destdir <<<"$settings"; then # Debian's patch
        echo "extension_destdir = '$stage'"
    elif grep -qx extension_control_path <<<"$settings"; then # PostgreSQL 18
        echo "extension_control_path = '$stage$(pg --sharedir):\$system'"
    else
        die "This PostgreSQL cannot load an extension from a private directory (it needs Debian's packages, or version 18)."
    fi
    echo "dynamic_library_path = '$stage$(pg --pkglibdir):\$libdir'"
    echo "shared_preload_libraries = 'govledger'"
    echo "max_prepared_transactions = 10"
}

pg() { "$PG_CONFIG" "$1"; }

# Where the server's development package keeps test programs and perl modules.
pgxs_source() { realpath "$(dirname "$(pg --pgxs)")/.."; }

# start_cluster NAME [setting]...: a new cluster in $work/NAME that listens on a socket there; sets PGHOST and friends.
start_cluster() {
    local directory=$GOVLEDGER_WORK/$1
    shift
    mkdir "$directory"
    initdb -D "$directory/data" -A trust -U postgres --no-locale -E UTF8 -N >"$directory/log" 2>&1 ||
        { cat "$directory/log"; return 1; }
    {
        cat "$GOVLEDGER_WORK/main.conf"
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$directory'"
        printf '%s\n' "$@"
    } >>"$directory/data/postgresql.conf"
    pg_ctl -D "$directory/data" -s -w -l "$directory/log" start || { tail -n 40 "$directory/log"; return 1; }
    export PGHOST=$directory PGUSER=postgres PGDATABASE=postgres PGDATA=$directory/data
}

stop_cluster() {
    pg_ctl -D "$PGDATA" -s -m fast stop
}

# The files among the arguments that TESTS names (all when it is empty), one a line.
selected() {
    local file name
    for file in "$@"; do
        name=$(basename "$file")
        case " ${TESTS:-} " in
            '  ' | *" ${name%.*} "* | *" $name "*) [ ! -e "$file" ] || echo "$file" ;;
        esac
    done
}

# score PASSED FAILED [SKIPPED]: what a stage of test/run reports.
score() {
    echo "$1 $2 ${3:-0}" >"$GOVLEDGER_WORK/score"
}

# Run TAP programs and score them.
harness() {
    perl "$root/test/lib/harness.pl" "$GOVLEDGER_WORK/score" "$@"
}


# regress NAME PROGRAM INPUT FILE...: run that pg_regress program against a cluster of its own and score it.
regress() {
    local kind=$1 program=$2 input=$3 out=$GOVLEDGER_WORK/out/$1 names=() passed status=0 file
    shift 3
    for file in "$@"; do
        file=$(basename "$file")
        names+=("${file%.*}")
        # pg_regress stops at a missing file; against an empty one it shows what came out
        [ -e "$input/expected/${file%.*}.out" ] || { mkdir -p "$input/expected" && : >"$input/expected/${file%.*}.out"; }
    done
    [ ${#names[@]} -gt 0 ] || die "no $kind tests to run"
    build main
    start_cluster "$kind" 'fsync = off' 'log_statement = all'
    mkdir "$out"
    "$(pgxs_source)/$program" --inputdir="$input" --outputdir="$out" --bindir="$(pg --bindir)" \
        --load-extension=govledger --dbname="$kind" "${names[@]}" | tee "$out/summary" || status=$?
    passed=$(grep -cE '^(test .*| .*)\.\.\. ok|^ok ' "$out/summary" || true)
    stop_cluster || status=$?
    cp "$PGHOST/log" "$out/server.log"
    if [ "$passed" != ${#names[@]} ] || [ "$status" != 0 ]; then
        [ ! -s "$out/regression.diffs" ] || head -n 400 "$out/regression.diffs"
        grep -E 'PANIC|TRAP|terminated by signal' "$out/server.log" | head -n 20 || true
    fi
    score "$passed" $((${#names[@]} - passed))
    return "$status"
}
