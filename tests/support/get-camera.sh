#!/bin/sh
# get-camera.sh OUTDIR: puts camera.png, the picture with known answers, into OUTDIR. It is in Debian's package
# python3-skimage, which is downloaded and unpacked, not installed. Does nothing where the picture is there already.
set -eu

package=python3-skimage
member=usr/lib/python3/dist-packages/skimage/data/camera.png
digest=b0793d2adda0fa6a # the first 16 digits of its SHA-256

fail() {
  echo "get-camera.sh: $*" >&2
  exit 1
}

is_right() {
  [ -f "$1" ] || return 1
  case $(sha256sum <"$1") in "$digest"*) return 0 ;; *) return 1 ;; esac
}

if [ $# -ne 1 ] || [ -z "$1" ]; then
  echo "usage: get-camera.sh OUTDIR" >&2
  exit 2
fi
out=$1
if is_right "$out/camera.png"; then exit 0; fi

for tool in apt-get dpkg sha256sum; do
  command -v "$tool" >/dev/null || fail "needs $tool; on another system than Debian, put scikit-image's" \
    "skimage/data/camera.png, whose SHA-256 begins $digest, into $out by hand"
done
mkdir -p "$out" 2>/dev/null || fail "cannot make the folder $out"

work=$(mktemp -d)
trap 'rm -rf "$work" "$out/.camera.$$"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work" # for apt's own user, when root downloads

if ! (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package") >"$work/log" 2>&1; then
  sed 's/^/  /' "$work/log" >&2
  fail "cannot download $package (no network, or no package lists: apt-get update)"
fi
set -- "$work"/*.deb
[ -f "$1" ] || fail "the download of $package left no file"
dpkg -x "$1" "$work/unpacked" || fail "cannot unpack $package"
[ -f "$work/unpacked/$member" ] || fail "$package has no $member"
is_right "$work/unpacked/$member" || fail "$member of $package is another picture: its SHA-256 does not begin $digest"

cp "$work/unpacked/$member" "$out/.camera.$$" 2>/dev/null || fail "cannot write to $out"
mv "$out/.camera.$$" "$out/camera.png" || fail "cannot write to $out"
