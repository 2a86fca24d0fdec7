#!/bin/sh
# Installs a kernel into the tree $1 while an image is built: the newest, or with $2 the newest of an older version than that
# for which the archive still has headers.
set -eu
tree=$1
below=${2-}
package=linux-image-amd64
if [ -n "$below" ]; then
    for name in $(chroot "$tree" apt-cache pkgnames linux-image- | grep -E '^linux-image-[0-9.]+(\+deb[0-9]+)?(-[0-9]+)?-amd64$' | sort -rV); do
        release=${name#linux-image-}
        if dpkg --compare-versions "${release%%[+-]*}" lt "$below" && chroot "$tree" apt-cache show "linux-headers-$release" >/dev/null 2>&1; then
            package=$name
            break
        fi
    done
fi
DEBIAN_FRONTEND=noninteractive chroot "$tree" apt-get install -y --no-install-recommends "$package"
