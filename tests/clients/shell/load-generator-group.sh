#!/usr/bin/env bash
# Our own load generator as members of a group.
. "$(dirname "$0")/checks.sh"

equal "members of a group receive all" "$(timeout 120 "${LOADGEN:?the load generator}" run --json \
    --kafka "$KAFKA" --rate 1000 --warmup 3s --duration 2s --consumers 2 --partitions 4 \
    --group "load-$run_id" | json 'd["errors"], d["produced"], d["consumed"]')" "0 2000 2000"
finish
