#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every key that the site file's reader knows stands in deploy/site.md, and no other in its tables.
cd "$1" || exit 1
status=0
known=$(sed -n 's/.*\(FIELD\|NODE\)("\([a-z0-9_]*\)".*/\2/p; s/.*NODE("\([a-z_]*\)").*/\1/p' agent/points/site_yaml.c | sort -u)
for key in $known $(grep -o 'NODE("[a-z_]*")' agent/points/site_yaml.c | sed 's/NODE("//; s/")//') ; do
  grep -q "\`$key:\{0,1\}\`" deploy/site.md || { echo "deploy/site.md lacks $key"; status=1; }
done
for key in $(grep '^| `' deploy/site.md | cut -d'|' -f2 | grep -o '`[a-z0-9_]*`' | tr -d '`'); do
  grep -q "\(FIELD\|NODE\)(\"$key\"" agent/points/site_yaml.c || { echo "deploy/site.md: $key is no key"; status=1; }
done
exit $status
