# shellcheck shell=sh disable=SC2034,SC2154 # $bin comes from, and $python goes to, who sources it
#
# Sourced by bin/ktop, bin/test and bin/bench: brings this checkout into a state in which it runs.
#
# What is done is written down in stamps under .venv, each only when its step is
# complete, with the time at which it began.  So an interrupted set-up is resumed, a
# changed source is noticed, and when nothing is to be done it costs a few stat calls
# and no process.  In: $bin, the directory of this file.  Out: $root and $python.
# POSIX sh, with the -nt and -ef of dash and bash.

system_python=/usr/bin/python3 # never another: bcc is installed for this one only
log=/dev/null
export PATH # where it was in no environment it is the shell's own so far, and pip would make do without

say() {
    echo "ktop: $*" >&2
}

# set_up ktop|test|bench: return as soon as it can run, or exit 1 with one clear sentence.
set_up() {
    root=$bin/..
    if ! is_ready "$1"; then
        root=$(cd -- "$bin/.." && pwd -P)
        prepare "$1"
    fi
    # The path that the environment was made for, not the way by which we came.
    read -r root <"$root/.venv/stamp-$1"
    python=$root/.venv/bin/python
}

is_ready() {
    has_environment "$1" && has_objects
}

has_environment() {
    stamp=$root/.venv/stamp-$1
    [ -r "$stamp" ] || return 1
    { read -r made_for && read -r made_with; } <"$stamp" || return 1
    # Neither moved nor copied, and Debian's Python is still the same.
    [ "$root" -ef "$made_for" ] && [ "$system_python" -ef "$made_with" ] || return 1
    is_newest "$stamp" "$root/pyproject.toml" "$root/bin/setup.sh"
}

has_objects() {
    stamp=$root/.venv/stamp-objects
    [ -e "$stamp" ] && is_newest "$stamp" "$root"/bpf/*.[ch] "$root/bpf/build.py" || return 1
    for source in "$root"/bpf/*.bpf.c; do
        object=${source##*/}
        [ -e "$root/ktop/objects/${object%.c}.o" ] || return 1
    done
}

is_newest() {
    newest=$1
    shift
    for input; do
        [ "$input" -nt "$newest" ] && return 1
    done
    return 0
}

prepare() {
    umask 022
    missing=$(missing_packages "$1" | tr '\n' ' ')
    if [ "$(id -u)" != 0 ]; then
        if [ -n "$missing" ]; then
            stop "not installed: $missing- set this up once with: sudo $root/bin/$1"
        elif ! mkdir -p "$root/.venv" 2>/dev/null || [ ! -w "$root/.venv" ]; then
            stop "the set-up is out of date and not yours to write - renew it with: sudo $root/bin/$1"
        fi
    fi
    mkdir -p "$root/.venv" || stop "cannot write to $root"
    exec 9>"$root/.venv/setup.lock"
    if ! flock -n 9; then
        say "waiting for another set-up to end"
        flock 9
    fi
    if ! is_ready "$1"; then
        log=$root/.venv/setup.log
        echo "ktop: set-up of $(date)" >"$log"
        : >"$root/.venv/setup.began"
        [ -z "$missing" ] || install_packages "$missing"
        has_objects || make_objects
        has_environment "$1" || make_environment "$1"
        say "set up"
    fi
    exec 9>&-
}

stop() {
    [ "$log" = /dev/null ] || tail -n 15 "$log" >&2
    say "$*"
    [ "$log" = /dev/null ] || say "the whole log is in $log"
    exit 1
}

# Run a step, its output in the log: try "what it does" COMMAND...
try() {
    what=$1
    shift
    say "$what"
    echo "== $*" >>"$log"
    # Not even a daemon that a package starts may keep the lock.
    "$@" </dev/null >>"$log" 2>&1 9>&- || stop "failed: $what"
}

# Print the packages that lack, judged by what they bring: another distribution's will do too.
missing_packages() {
    find_command clang >/dev/null || echo clang
    find_command llvm-strip >/dev/null || echo llvm
    [ -e /usr/include/bpf/bpf_helpers.h ] || echo libbpf-dev
    [ -e /usr/include/linux/bpf.h ] || echo linux-libc-dev
    if [ "$1" = test ]; then
        for tool in fio iperf3 stress-ng tmux clang-format; do
            find_command "$tool" >/dev/null || echo "$tool"
        done
        find_command mkfs.xfs >/dev/null || echo xfsprogs
        find_command mkfs.ext4 >/dev/null || echo e2fsprogs
        find_command ip >/dev/null || echo iproute2
    fi
    [ "$1" != bench ] || missing_peers
    if [ ! -x "$system_python" ]; then
        echo python3 python3-venv python3-bpfcc libbpf1
        return
    fi
    "$system_python" -I - <<'END'
import importlib.util

for module, package in {"ensurepip": "python3-venv", "bcc": "python3-bpfcc"}.items():
    if importlib.util.find_spec(module) is None:
        print(package)
try:
    import ctypes
    ctypes.CDLL("libbpf.so.1")
except ImportError:
    print("python3", "libbpf1")
except OSError:
    print("libbpf1")
END
}

# Print the packages of what ktop is compared with, and of what loads them.
missing_peers() {
    for tool in bpftrace htop stress-ng fio iperf3; do
        find_command "$tool" >/dev/null || echo "$tool"
    done
    find_command runqlat >/dev/null || echo libbpf-tools
    find_command runqlat-bpfcc >/dev/null || echo bpfcc-tools
    # bcc compiles with headers: the running kernel's, or for one that is no distribution's a stand-in.
    modules=/lib/modules/$(uname -r)
    if [ -e "$modules/build" ]; then
        return
    elif [ -d "$modules/kernel" ]; then
        ! apt-cache show "linux-headers-$(uname -r)" >/dev/null 2>&1 || echo "linux-headers-$(uname -r)"
    elif ! ls -d /usr/src/linux-headers-*-cloud-* >/dev/null 2>&1; then
        echo "linux-headers-cloud-$(dpkg --print-architecture)"
    fi
}

# Print the path of a command, be it only there with a version (clang-19); fail when it is not.
find_command() {
    command -v "$1" && return
    for versioned in /usr/bin/"$1"-[0-9]*; do
        [ -x "$versioned" ] && echo "$versioned" && return
    done
    return 1
}

# shellcheck disable=SC2086 # one word a package
install_packages() {
    command -v apt-get >/dev/null || stop "not installed, by Debian's names, and there is no apt-get:" $1
    export DEBIAN_FRONTEND=noninteractive
    read_package_lists
    try "installing the Debian packages" apt-get -qy -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends $1
}

read_package_lists() {
    say "reading the package lists"
    # One broken source among many is common, and no reason to stop: the next step will tell.
    apt-get -q update </dev/null >>"$log" 2>&1 9>&- || say "not all package lists could be read"
}

make_objects() {
    try "compiling the BPF programs" "$system_python" -I "$root/bpf/build.py"
    date_stamp objects </dev/null
}

make_environment() {
    "$system_python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        stop "ktop needs Python 3.11 or later as $system_python"
    if ! is_usable; then
        # One by one: the lock and the log are there too.
        for part in bin include lib lib64 share pyvenv.cfg stamp-ktop stamp-test stamp-bench; do
            rm -rf "$root/.venv/$part"
        done
        try "making a Python environment" "$system_python" -I -m venv --system-site-packages "$root/.venv"
    fi
    if [ "$1" = test ]; then extra='[test]'; else extra=; fi
    try "installing the Python packages" "$root/.venv/bin/python" -I -m pip install \
        --no-input --disable-pip-version-check --editable "$root$extra"
    # pip compiles what it installs; the checkout is not its business.
    try "compiling the Python modules" "$root/.venv/bin/python" -I -m compileall -q "$root/ktop"
    made_with=$(readlink -f "$system_python")
    printf '%s\n' "$root" "$made_with" | date_stamp ktop
    [ "$1" = ktop ] || cp -p "$root/.venv/stamp-ktop" "$root/.venv/stamp-$1"
}

# Whether the environment there is works, and is one of this place and of this Python.
is_usable() {
    for stamp in "$root"/.venv/stamp-ktop "$root"/.venv/stamp-test "$root"/.venv/stamp-bench; do
        [ ! -e "$stamp" ] && continue
        { read -r made_for && read -r made_with; } <"$stamp" || return 1
        [ "$root" -ef "$made_for" ] && [ "$system_python" -ef "$made_with" ] || return 1
    done
    grep -q '^include-system-site-packages = true' "$root/.venv/pyvenv.cfg" 2>/dev/null &&
        grep -q '^home = /usr/bin$' "$root/.venv/pyvenv.cfg" &&
        "$root/.venv/bin/python" -I -m pip --version >>"$log" 2>&1
}

# Write stdin as a stamp of the time at which the set-up began: what changed since is newer.
date_stamp() {
    cat >"$root/.venv/stamp.new"
    touch -r "$root/.venv/setup.began" "$root/.venv/stamp.new"
    mv "$root/.venv/stamp.new" "$root/.venv/stamp-$1"
}
