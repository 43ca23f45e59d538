#!/usr/bin/env bash
# kcat: produce with keys and headers, consume, JSON, metadata, offsets, a group, an idempotent and
# a transactional producer's settings.
. "$(dirname "$0")/checks.sh"
topic=kcat-$run_id

kcat() { timeout 30 "${KCAT:-kcat}" -b "$KAFKA" "$@"; }
lines() { seq 1 100 | sed "s/.*/k&$1v&/"; }

lines : | kcat -P -t "$topic" -K: -H app=kcat -z gzip -X request.required.acks=-1
equal "produce" $? 0
equal "consume to the end" "$(kcat -C -t "$topic" -o beginning -e -q -f '%k=%s\n')" "$(lines =)"
equal "a header" "$(kcat -C -t "$topic" -o beginning -c 1 -q -f '%h')" "app=kcat"
equal "JSON" "$(kcat -C -t "$topic" -o 41 -c 1 -q -J | json 'd["key"], d["payload"], d["offset"]')" \
    "k42 v42 41"
equal "the last five" "$(kcat -C -t "$topic" -o -5 -e -q -f '%s ')" "v96 v97 v98 v99 v100 "
equal "metadata" "$(kcat -L -t "$topic" -J | json 'len(d["brokers"]) > 0, d["topics"][0]["topic"]')" \
    "True $topic"
equal "the end offset" "$(kcat -Q -t "$topic:0:-1" | tr -d '\n')" "$topic [0] offset 100"
equal "the start offset" "$(kcat -Q -t "$topic:0:-2" | tr -d '\n')" "$topic [0] offset 0"

for codec in snappy lz4 zstd; do
    seq 1 500 | kcat -P -t "$topic-$codec" -z "$codec" -X enable.idempotence=true
    equal "$codec, idempotent" "$(kcat -C -t "$topic-$codec" -o beginning -e -q -X check.crcs=true)" \
        "$(seq 1 500)"
done
finish
