# Shared by ./linnet, ./test and .ci/run. Expects $root to be the repository's root.

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE=1
export DOTNET_CLI_UI_LANGUAGE=en

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# The SDK is the one thing that is not installed for you: distributions disagree on where it comes from.
need_sdk() {
    if ! command -v dotnet >/dev/null; then
        if [ -x "${HOME:-/root}/.dotnet/dotnet" ]; then
            PATH="${HOME:-/root}/.dotnet:$PATH"
        else
            die "needs the .NET 10 SDK, and there is no 'dotnet' in PATH: see https://dot.net/download"
        fi
    fi
    (cd "$root" && dotnet --version) >/dev/null 2>&1 ||
        die "needs the .NET 10 SDK (10.0.100 or later; global.json), found only: $(cd / && dotnet --list-sdks 2>/dev/null | tr '\n' ' ')"
}

# The built programs find the runtime that the SDK came with, wherever that is.
find_runtime() {
    [ -z "${DOTNET_ROOT:-}" ] || return 0
    local dotnet directory
    dotnet=$(command -v dotnet || true)
    [ -n "$dotnet" ] || dotnet=${HOME:-/root}/.dotnet/dotnet
    [ -x "$dotnet" ] || return 0
    directory=$(dirname "$(readlink -f "$dotnet")")
    # A script in front of the real dotnet has no runtime beside it; the real one knows.
    [ -d "$directory/host/fxr" ] || directory=$("$dotnet" --list-runtimes | sed -n 's|^Microsoft.NETCore.App .*\[\(.*\)/shared/.*|\1|p' | tail -n 1)
    [ ! -d "$directory/host/fxr" ] || export DOTNET_ROOT=$directory
}

# need_tools COMMAND=PACKAGE...: installs the Debian packages of missing commands when root; says what is missing if not.
# For packages without commands, a pattern of one of their files.
need_tools() {
    local pair packages=() commands=()
    for pair in "$@"; do
        [[ $pair != /* ]] || ! compgen -G "${pair%%=*}" >/dev/null || continue
        command -v "${pair%%=*}" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || {
            commands+=("${pair%%=*}")
            packages+=("${pair#*=}")
        }
    done
    [ ${#packages[@]} -gt 0 ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing ${packages[*]}"
        export DEBIAN_FRONTEND=noninteractive
        if { apt-get install -y -q --no-install-recommends "${packages[@]}" ||
            { apt-get update -q && apt-get install -y -q --no-install-recommends "${packages[@]}"; }; } \
            </dev/null >"$root/artifacts/apt.log" 2>&1; then
            return 0
        fi
        tail -n 5 "$root/artifacts/apt.log" >&2
        echo "${0##*/}: could not install ${packages[*]}; tests that use ${commands[*]} will fail" >&2
    else
        echo "${0##*/}: missing ${commands[*]} (Debian: apt-get install ${packages[*]}); tests that use them will fail" >&2
    fi
}
