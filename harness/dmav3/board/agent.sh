#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs what `Guest.run` sends over the console of a guest; started there by its /init.
stty -echo 2>/dev/null
echo dmav3-agent
while read -r word mark command; do
    [ "$word" = dmav3 ] || continue
    echo "dmav3-begin $mark"
    echo "$command" | base64 -d >/tmp/dmav3-command
    sh /tmp/dmav3-command </dev/null 2>&1
    echo "dmav3-end $mark $?"
done
