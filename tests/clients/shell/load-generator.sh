#!/usr/bin/env bash
# Our own load generator over the Kafka protocol: open and closed loop, groups, a topic that is kept.
. "$(dirname "$0")/checks.sh"
topic=load-$run_id

load() { timeout 120 "${LOADGEN:?the load generator}" run --kafka "$KAFKA" --json "$@"; }
brief() { json 'd["errors"], d["produced"], d["consumed"], d["ack_latency_us"]["count"]'; }

open_loop=(--rate 2000 --warmup 500ms --duration 2s --acks all --size 64)
equal "an open loop counts what was due" \
    "$(load "${open_loop[@]}" --producers 2 --consumers 1 --partitions 3 --keys uniform:100 | brief)" \
    "0 4000 4000 4000"
rising='all(a <= b for a, b in zip(v, v[1:])) and v[0] > 0'
equal "latencies rise" "$(load "${open_loop[@]}" --linger 1ms --consumers 1 \
    | json "[$rising for v in [[d['end_to_end_latency_us'][p] for p in ('p50', 'p90', 'p99', 'p999', 'max')]]][0]")" "True"
equal "a closed loop, and a topic that is kept" \
    "$(load --message-count 20000 --acks 1 --topic "$topic" --partitions 2 --in-flight 500 | json 'd["errors"], d["acknowledged"]')" \
    "0 20000"
equal "what it holds is drained" \
    "$(load --producers 0 --consumers 2 --threads 2 --topic "$topic" --from start --duration 20s | json 'd["errors"], d["received"]')" \
    "0 20000"
finish
