# shellcheck shell=bash
# What scripts/run and scripts/test share. What they say themselves goes to standard error; the logs of
# everything they start are in build/.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=scripts/$(basename "$0")

# shellcheck disable=SC2034  # the scripts use them
build_packages=(g++ cmake ninja-build libboost1.81-dev libmsgsl-dev libcli11-dev libssl-dev libpng-dev libtomlplusplus-dev
  libflatbuffers-dev flatbuffers-compiler)
# shellcheck disable=SC2034
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev libtbb-dev spin)
# shellcheck disable=SC2034
benchmark_packages=(libbenchmark-dev libtbb-dev valgrind)
# shellcheck disable=SC2034  # nothing but a peer of benchmarks, which does without
grpc_packages=(libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc)

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

# apt-get as root, quietly; log in build/packages.log.
apt()
{
  local as_root=()
  if ((EUID != 0)); then as_root=(sudo); fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" \
    >>"$root/build/packages.log" 2>&1 </dev/null
}

# True where apt-get can be had as root.
may_install()
{
  ((EUID == 0)) || { command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; }
}

# Installs what is missing of the given packages. Says nothing where nothing is.
need_packages()
{
  command -v dpkg-query >/dev/null || return 0  # not Debian: CMake names what it misses
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  may_install || fail "only root can install what is missing; ask for: apt-get install ${missing[*]}"

  say "installing ${missing[*]}"
  : >"$root/build/packages.log"
  apt update && apt install --no-install-recommends --no-remove -y "${missing[@]}" && return
  if grep -qE 'Temporary failure|Could not (resolve|connect)|Failed to fetch|Unable to connect' \
    "$root/build/packages.log"; then
    fail "the package servers cannot be reached; without them, install: ${missing[*]} (log: build/packages.log)"
  fi
  fail "apt-get could not install ${missing[*]} (log: build/packages.log)"
}

# The same for what can be done without: one line where it cannot be had.
want_packages() { (need_packages "$@") || say "going on without $*"; }

# The picture with known answers, in build/images. Without it its tests are skipped.
need_picture()
{
  local get=(sh "$root/tests/support/get-camera.sh" "$root/build/images") log=$root/build/images.log
  "${get[@]}" 2>"$log" && return
  if may_install && apt update && "${get[@]}" 2>"$log"; then return; fi
  say "without camera.png, whose tests will be skipped: $(tail -n 1 "$log")"
}

# True where nvcc is where CMake will find it: cmake/fastgpu_cuda.cmake looks in the same places.
have_nvcc()
{
  [[ ${CUDACXX-} && -x $(command -v "$CUDACXX") ]] || command -v nvcc >/dev/null ||
    [[ -x ${CUDA_HOME-}/bin/nvcc || -x ${CUDA_PATH-}/bin/nvcc || -x /usr/local/cuda/bin/nvcc ]]
}

# True where clang++ can link libFuzzer.
have_fuzzer()
{
  command -v clang++ >/dev/null &&
    clang++ -fsanitize=fuzzer -x c++ -o /dev/null - 2>/dev/null \
      <<<'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
}

# The preset that suits this machine, with a GPU and a toolkit the one that uses them. The one place that decides it.
native_preset()
{
  if compgen -G '/dev/nvidia[0-9]*' >/dev/null && have_nvcc; then printf 'cuda\n'; else printf 'release\n'; fi
}

# configure PRESET [OPTION...]
configure()
{
  local log=$root/build/$1-configure.log
  (cd "$root" && cmake --preset "$@") >"$log" 2>&1 && return
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
