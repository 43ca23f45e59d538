#!/usr/bin/env bash
# kafka-console-share-consumer and kafka-share-groups.
. "$(dirname "$0")/checks.sh"
. "$(dirname "$0")/kafka-tools.sh"
topic=console-share-$run_id
group=console-share-group-$run_id

kafka-topics --create --topic "$topic" --partitions 2 >/dev/null 2>&1
kafka-configs --alter --entity-type groups --entity-name "$group" \
    --add-config share.auto.offset.reset=earliest 2>&1
equal "the group begins at the start" $? 0
seq 1 50 | kafka-console-producer --topic "$topic" 2>/dev/null
found=$(kafka-console-share-consumer --topic "$topic" --group "$group" --max-messages 50 \
    --timeout-ms 30000 2>/dev/null)
equal "a share group reads all" "$(sort -n <<<"$found")" "$(seq 1 50)"
matches "it is listed" "$(kafka-share-groups --list 2>&1)" "^$group"
matches "among all groups too" "$(kafka-groups --list 2>&1)" "$group +Share"
matches "it is described" "$(kafka-share-groups --describe --group "$group" --state 2>&1)" 'Empty'
finish
