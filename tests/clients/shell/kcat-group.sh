#!/usr/bin/env bash
# kcat as a member of a group: reads all, and nothing again the next time.
. "$(dirname "$0")/checks.sh"
topic=kcat-group-$run_id

kcat() { timeout 40 "${KCAT:-kcat}" -b "$KAFKA" "$@"; }
member() { kcat -G "$topic" -X auto.offset.reset=earliest -q -f '%s\n' "$@" "$topic" 2>/dev/null; }

seq 1 100 | kcat -P -t "$topic"
equal "a group reads all" "$(member -c 100)" "$(seq 1 100)"
seq 101 150 | kcat -P -t "$topic"
equal "and goes on where it was" "$(member -c 50)" "$(seq 101 150)"
finish
