#!/usr/bin/env bash
# kafka-console-producer and -consumer, offsets, and the two performance tools without a group.
. "$(dirname "$0")/checks.sh"
. "$(dirname "$0")/kafka-tools.sh"
topic=console-$run_id

matches "create" "$(kafka-topics --create --topic "$topic" --partitions 3 2>&1)" "Created topic $topic"
records() { seq 1 50 | sed 's/.*/key&:{"order": &}/'; }
records | kafka-console-producer --topic "$topic" --reader-property parse.key=true \
    --reader-property key.separator=: 2>&1
equal "the console producer ends well" $? 0
read_back=$(kafka-console-consumer --topic "$topic" --from-beginning --max-messages 50 \
    --timeout-ms 30000 --formatter-property print.key=true --formatter-property key.separator=: 2>/dev/null)
equal "the console consumer reads all back" "$(sort <<<"$read_back")" "$(records | sort)"
equal "offsets add up" \
    "$(kafka-get-offsets --topic "$topic" 2>/dev/null | awk -F: '{ sum += $3 } END { print sum, NR }')" "50 3"
matches "api versions" "$(kafka-broker-api-versions 2>&1)" 'Produce\(0\): .*usable'
matches "the cluster id" "$(kafka-cluster cluster-id 2>&1)" 'Cluster ID: [A-Za-z0-9_-]+'
finish
