# shellcheck shell=bash
# What scripts/run and scripts/test share. What they say themselves goes to standard error; the logs of
# everything they start are in build/.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=scripts/$(basename "$0")

# shellcheck disable=SC2034  # the scripts use them
build_packages=(g++ cmake ninja-build libboost1.81-dev libmsgsl-dev libcli11-dev libssl-dev libpng-dev)
# shellcheck disable=SC2034
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev libtbb-dev)

say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE [STATUS]
fail()
{
  say "$me: $1"
  exit "${2:-1}"
}

prepare()
{
  mkdir -p "$root/build" 2>/dev/null || true
  [[ -w $root/build ]] || fail "cannot write to $root/build"
}

# Those of the given packages that are not there. Tools may come from elsewhere than from packages.
missing_packages()
{
  local installed package
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    case $package in
      g++ | cmake) command -v "$package" >/dev/null && continue ;;
      ninja-build) command -v ninja >/dev/null && continue ;;
    esac
    grep -qFx "$package installed" <<<"$installed" || printf '%s\n' "$package"
  done
}

# Installs what is missing of the given packages. Says nothing where nothing is.
need_packages()
{
  command -v dpkg-query >/dev/null || return 0  # not Debian: CMake names what it misses
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0

  local as_root=()
  if ((EUID != 0)); then
    as_root=(sudo)
    if ! command -v sudo >/dev/null || { [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; }; then
      fail "only root can install what is missing; ask for: apt-get install ${missing[*]}"
    fi
  fi

  say "installing ${missing[*]}"
  local log=$root/build/packages.log apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
  if ! "${as_root[@]}" "${apt[@]}" update >"$log" 2>&1 </dev/null ||
    ! "${as_root[@]}" "${apt[@]}" install --no-install-recommends --no-remove -y "${missing[@]}" \
      >>"$log" 2>&1 </dev/null; then
    if grep -qE 'Temporary failure|Could not (resolve|connect)|Failed to fetch|Unable to connect' "$log"; then
      fail "the package servers cannot be reached; without them, install: ${missing[*]} (log: ${log#"$root"/})"
    fi
    fail "apt-get could not install ${missing[*]} (log: ${log#"$root"/})"
  fi
}

# The preset that suits this machine. The one place that decides it.
native_preset() { printf 'release\n'; }

# configure PRESET
configure()
{
  local log=$root/build/$1-configure.log
  (cd "$root" && cmake --preset "$1") >"$log" 2>&1 && return
  say "$(cat "$log")"
  fail "preset $1 cannot be configured"
}

# True where the build folder of a preset is older than the presets, or has never been configured.
stale() { [[ ! -e $root/build/$1/build.ninja || $root/CMakePresets.json -nt $root/build/$1/build.ninja ]]; }

# Shows ninja's output of a preset: how far it is, and whatever a compiler says. Nothing where nothing was to do.
show_steps()
{
  local line shown=0 percent
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      ((BASH_REMATCH[1] > 0)) || continue  # CMake looking after its files
      percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
      if [[ -t 2 ]]; then
        printf '\r\033[Kbuilding %s: %d of %d' "$1" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
      elif ((percent >= shown + 20)); then
        say "building $1: $percent %"
      else
        continue
      fi
      shown=$percent
    elif [[ $line != '-- '* && $line != 'ninja: no work to do.' && $line != 'ninja: Entering directory'* ]]; then
      [[ -t 2 ]] && printf '\r\033[K' >&2
      say "$line"
    fi
  done
  if [[ -t 2 ]] && ((shown)); then printf '\r\033[K' >&2; fi
}

# build PRESET TARGET...
build()
{
  local preset=$1
  shift
  (cd "$root" && cmake --build --preset "$preset" --parallel "$(nproc)" --target "$@" 2>&1) |
    tee "$root/build/$preset-build.log" | show_steps "$preset"
}
