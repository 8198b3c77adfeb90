#!/usr/bin/env bash
# Make sure that the base image of the Dockerfiles beside this script is there.
#
#   ensure-base.sh [NAME]        default: debian:trixie-slim
#
# It is pulled where that is possible. Where it is not, a stand-in of the same
# name is made from Debian's own packages, so that the very same Dockerfiles
# build with and without a registry. The stand-in carries this machine's CA
# bundle, since what cannot pull often sits behind a proxy with a CA of its own.
set -euo pipefail

name=${1:-debian:trixie-slim}
suite=${name#debian:}
suite=${suite%-slim}
ca=/etc/ssl/certs/ca-certificates.crt

if docker image inspect "$name" >/dev/null 2>&1; then
	echo "base: $name is here"
	exit 0
fi
if timeout 120 docker pull -q "$name" >/dev/null 2>&1; then
	echo "base: pulled $name"
	exit 0
fi

echo "base: $name cannot be pulled; making a stand-in from Debian packages"
if ! command -v mmdebstrap >/dev/null 2>&1; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "base: this needs mmdebstrap (Debian, Ubuntu: apt-get install mmdebstrap) and root" >&2
		exit 1
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mmdebstrap >/dev/null
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/90container" <<'CONF'
Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
CONF
options=(--mode=root --variant=minbase --quiet --customize-hook="copy-in $dir/90container /etc/apt/apt.conf.d")
for path in man locale doc info groff lintian linda; do
	options+=(--dpkgopt="path-exclude=/usr/share/$path/*")
done
changes=(--change 'CMD ["bash"]' --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
if [ -f "$ca" ]; then
	options+=(--customize-hook='mkdir -p "$1/etc/ssl/certs"' --customize-hook="upload $ca $ca")
	for variable in SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS; do
		changes+=(--change "ENV $variable=$ca")
	done
fi
# The cleaning comes last: without it every later layer carries apt's caches,
# and the image would keep this machine's name and resolver.
options+=(--customize-hook='rm -rf "$1"/var/cache/apt/*.bin "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old "$1"/var/log/*; : >"$1/etc/resolv.conf"; rm -f "$1/etc/hostname"')

mmdebstrap "${options[@]}" "$suite" "$dir/root.tar"
docker import "${changes[@]}" "$dir/root.tar" "$name" >/dev/null
echo "base: made $name"
