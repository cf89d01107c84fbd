#!/usr/bin/env bash
# gpu-verify.sh SOURCE WORK: scripts/gpu-verify over a bundle of stand-ins in folder WORK, with and without a GPU, with
# programs that succeed, fail, say nonsense, skip and hang.
set -euo pipefail
source=$1
work=$2
rm -rf "$work"
mkdir -p "$work/bundle/bin" "$work/bundle/scripts" "$work/bundle/data"
cp "$source/scripts/gpu-verify" "$work/bundle/scripts/"
printf 'commit 0123\narchitectures 90\ngpu_test stand_in_test\nhost_test stand_in_test\n' >"$work/bundle/manifest"

# stand_in NAME: a program whose text is standard input. STAND_IN says how it behaves.
stand_in()
{
  { echo '#!/usr/bin/env bash' && cat; } >"$work/bundle/bin/$1"
  chmod +x "$work/bundle/bin/$1"
}
stand_in stand_in_test <<'BASH'
case ${STAND_IN-} in
  bad) printf '[  PASSED  ] 2 tests.\n[  FAILED  ] 1 test, listed below:\n' && exit 1 ;;
  dead) kill -SEGV $$ ;;
  slow) sleep 60 ;;
  none) printf '[  PASSED  ] 1 test.\n[  SKIPPED ] 2 tests, listed below:\n' ;;
  *) printf '[  PASSED  ] 3 tests.\n' ;;
esac
BASH
for program in nas_ep mandelbrot uts block_sort image_filter; do
  stand_in $program <<'BASH'
while (($#)); do
  case $1 in
    --json) json=$2 ;;
    --devices) devices=$2 ;;
  esac
  shift
done
hash=1
[[ ${STAND_IN-} == bad && ${devices-} == cuda:0 ]] && hash=2
[[ ${json-} ]] && printf '{"verified":true,"run":{"result_hash":"%s"}}\n' "$hash" >"$json"
exit 0
BASH
done
stand_in quickstart <<<'echo pi is about 3.141592'
stand_in fastgpu_gpu_measurements <<'BASH'
case $1 in
  --describe)
    [[ ${STAND_IN-} == none ]] && echo 'none there is "no" driver' && exit
    printf 'gpu Stand-in 1\ncuda_driver 13.0\n'
    ;;
  --list) printf 'launch   launches\nnccl     ranks\n' ;;
  --json=*)
    if [[ $2 == nccl ]]; then
      printf 'nccl     skipped: not here\n'
    else
      printf '{"figures": {"us": 1.5}}\n' >"${1#--json=}"
    fi
    ;;
esac
BASH
stand_in fastgpu_gpu_benchmarks <<'BASH'
case $1 in
  --benchmark_list_tests) echo gpu/sum/iterations:1/manual_time ;;
  --check)
    bound=PASS
    [[ ${STAND_IN-} == bad ]] && bound=FAIL
    printf 'gpu/sum       time over hand-written     1.020  1.010 to 1.030    <= 1.050    %s\n' $bound
    [[ $bound == PASS ]]
    ;;
esac
BASH

problems=0
# verify HOW STATUS OPTION...: keeps what was said.
verify()
{
  local how=$1 expected=$2 status=0
  shift 2
  said=$(cd / && STAND_IN=$how bash "$work/bundle/scripts/gpu-verify" --out "$work/$how" "$@" 2>&1) || status=$?
  json=$(<"$work/$how/gpu-verify.json")
  ((status == expected)) || tell "$how: ended with $status, not $expected"
}
tell()
{
  printf '%s:\n%s\n\n' "$1" "$said"
  problems=$((problems + 1))
}
says() { [[ $said =~ $1 ]] || tell "does not say '$1'"; }
writes() { [[ $json == *"$1"* ]] || tell "gpu-verify.json has no '$1'"; }

most=(programs tests answers measurements benchmarks)
verify good 0 "${most[@]}"
says 'GPU: Stand-in 1'
says 'tests +stand_in_test +passed .* 3 passed'
says 'answers +uts/T3/same_bits +passed'
says 'measurements +nccl +skipped .* not here'
says 'benchmarks +gpu/sum +passed .* time over hand-written 1.020 .* PASS'
says ', 0 failed, '
writes '"gpu": {"gpu": "Stand-in 1", "cuda_driver": "13.0"}'
writes '"bundle": {"commit": "0123", "architectures": "90"}'
writes '"data": {"figures": {"us": 1.5}}'

verify none 0 "${most[@]}"
says 'tests +stand_in_test +skipped .* no GPU: 1 passed'
says 'answers +nas_ep/S/host:2 +passed'
says 'answers +nas_ep/S/cuda:0 +skipped .* no GPU'
says 'nothing ran on a GPU \(there is "no" driver\)'
writes '"why_no_gpu": "there is \"no\" driver"'

verify bad 1 "${most[@]}"
says 'tests +stand_in_test +failed .* 2 passed, 1 failed'
says 'answers +uts/T3/same_bits +failed .* results differ: 1 2'
says 'benchmarks +gpu/sum +failed .* FAIL'

verify dead 1 tests
says 'tests +stand_in_test +failed .* ended with 139'

verify slow 1 --part-seconds 1 tests
says 'tests +stand_in_test +failed .* was not done in its time'
says 'tests +stand_in_test +failed .* not begun'

listed=$(bash "$work/bundle/scripts/gpu-verify" --list)
for name in 'programs      uts' 'sanitizer     racecheck/stand_in_test' 'answers       nas_ep/C/cuda:0' \
  'measurements  launch' 'benchmarks    gpu/sum'; do
  [[ $'\n'$listed$'\n' == *$'\n'$name$'\n'* ]] || { said=$listed && tell "--list has no '$name'"; }
done
((problems == 0))
