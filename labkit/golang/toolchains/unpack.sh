#!/bin/sh
# unpack.sh SHA256 DIRECTORY NAME: DIRECTORY/go.tar.gz becomes DIRECTORY/NAME, complete or not at all.
set -e
echo "$1  $2/go.tar.gz" | sha256sum -c --quiet
mkdir "$2/go.part"
tar -xzf "$2/go.tar.gz" -C "$2/go.part" --strip-components=1
echo "$1" >"$2/go.part/labkit-sha256"
mv "$2/go.part" "$2/$3"
