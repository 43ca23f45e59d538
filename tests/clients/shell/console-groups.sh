#!/usr/bin/env bash
# The performance tools, then kafka-consumer-groups: list, describe, lag, reset offsets, delete.
. "$(dirname "$0")/checks.sh"
. "$(dirname "$0")/kafka-tools.sh"
topic=performance-$run_id
group=performance-group-$run_id

kafka-topics --create --topic "$topic" --partitions 2 >/dev/null 2>&1
produced=$(kafka-producer-perf-test --topic "$topic" --num-records 100000 --record-size 200 \
    --throughput -1 --command-property bootstrap.servers="$KAFKA" acks=all compression.type=lz4 2>&1 | tail -1)
matches "kafka-producer-perf-test" "$produced" '^100000 records sent, .*99.9th'
echo "  $produced"
consumed=$(kafka-consumer-perf-test --topic "$topic" --num-records 100000 --group "$group" \
    --timeout 30000 2>&1)
matches "kafka-consumer-perf-test" "$consumed" ', 10[0-9]{4}, '
echo "  $(tail -1 <<<"$consumed")"

describe() { kafka-consumer-groups --describe --group "$group" "$@" 2>&1; }
# sum COLUMN: over the topic's rows of the group's description.
sum() { describe | awk -v topic="$topic" -v column="$1" '$2 == topic { sum += $column } END { print sum }'; }

matches "list" "$(kafka-consumer-groups --list 2>/dev/null)" "^$group$"
equal "log end offsets add up" "$(sum 5)" 100000
matches "the group is empty" "$(describe --state)" 'Empty'

reset() { kafka-consumer-groups --group "$group" --reset-offsets --execute "$@" >/dev/null 2>&1; }
reset --topic "$topic" --to-earliest
equal "the lag after a reset to the start" "$(sum 6)" 100000
reset --topic "$topic:0" --to-offset 1000
reset --topic "$topic:0" --shift-by -400
equal "a reset to an offset, then a shift" \
    "$(describe | awk -v topic="$topic" '$2 == topic && $3 == 0 { print $4 }')" 600
kafka-console-consumer --topic "$topic" --group "$group" --max-messages 10 --timeout-ms 20000 >/dev/null 2>&1
equal "the group reads on" $? 0
matches "delete" "$(kafka-consumer-groups --delete --group "$group" 2>&1)" 'successful'
kafka-topics --delete --topic "$topic" 2>&1
finish
