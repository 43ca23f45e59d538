#!/usr/bin/env bash
# kafka-topics, kafka-configs, kafka-delete-records, kafka-log-dirs and kafka-acls.
. "$(dirname "$0")/checks.sh"
. "$(dirname "$0")/kafka-tools.sh"
topic=console-topics-$run_id

create=(--create --topic "$topic" --partitions 3 --replication-factor 1)
matches "create" "$(kafka-topics "${create[@]}" 2>&1)" "Created topic $topic"
matches "create again" "$(kafka-topics "${create[@]}" 2>&1)" "already exists"
kafka-topics --create --if-not-exists --topic "$topic" >/dev/null 2>&1
equal "create if it is not there" $? 0
described=$(kafka-topics --describe --topic "$topic" 2>&1)
matches "describe: partitions" "$described" 'PartitionCount: ?3'
matches "describe: id" "$described" 'TopicId: [A-Za-z0-9_-]{22}'
equal "describe: leaders" "$(grep -cE 'Partition: [0-2].*Leader: [0-9]+.*Isr: [0-9]+' <<<"$described")" 3
matches "list" "$(kafka-topics --list)" "^$topic$"
kafka-topics --alter --topic "$topic" --partitions 5 2>&1
matches "alter" "$(kafka-topics --describe --topic "$topic")" 'PartitionCount: ?5'

of_topic=(--entity-type topics --entity-name "$topic")
kafka-configs --alter "${of_topic[@]}" --add-config retention.ms=123456,max.message.bytes=2000000 2>&1
settings=$(kafka-configs --describe "${of_topic[@]}" 2>&1)
matches "a setting is changed" "$settings" 'retention.ms=123456'
matches "and the other" "$settings" 'max.message.bytes=2000000'
kafka-configs --alter "${of_topic[@]}" --delete-config retention.ms >/dev/null 2>&1
equal "a setting is taken back" \
    "$(kafka-configs --describe "${of_topic[@]}" 2>&1 | grep -c 'retention.ms=123456')" 0
matches "settings of the broker" \
    "$(kafka-configs --describe --all --entity-type brokers --entity-name "$(
        kafka-topics --describe --topic "$topic" | sed -n 's/.*Leader: \([0-9]*\).*/\1/p' | head -1
    )" 2>&1)" '^ +[a-z.]+=.*'

seq 1 20 | kafka-console-producer --topic "$topic" 2>/dev/null
request=$(mktemp)
trap 'rm -f "$request"' EXIT
partition=$(kafka-get-offsets --topic "$topic" 2>/dev/null | awk -F: '$3 > 0 { print $2; exit }')
echo "{\"partitions\": [{\"topic\": \"$topic\", \"partition\": $partition, \"offset\": -1}], \"version\": 1}" >"$request"
matches "records are deleted" "$(kafka-delete-records --offset-json-file "$request" 2>&1)" 'low_watermark: [1-9]'
matches "log dirs" "$(kafka-log-dirs --describe --topic-list "$topic" 2>&1)" "\"partition\":\"$topic-0\""
matches "there is no authorizer" "$(kafka-acls --list 2>&1)" 'No Authorizer is configured'

kafka-topics --delete --topic "$topic" 2>&1
gone() { ! kafka-topics --list | grep -q "^$topic$"; }
until_true 10 gone
equal "delete" $? 0
finish
