# The Kafka command line tools by their usual names, run from the libraries that Maven fetched: what
# the bin/*.sh of a Kafka release do. Sourced, not run.
: "${KAFKA_TOOLS:?the folder with the libraries of kafka-tools and kafka_2.13}"
server=(--bootstrap-server "$KAFKA")

# The flags, and the archive of classes, make a tool start in half the time.
tool() {
    java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:SharedArchiveFile="$KAFKA_TOOLS/tools.jsa" \
        -Xlog:disable -Dlog4j2.configurationFile="$KAFKA_TOOLS/classes/log4j2.properties" \
        -cp "$KAFKA_TOOLS/libraries/*" "$@"
}
kafka-topics() { tool org.apache.kafka.tools.TopicCommand "${server[@]}" "$@"; }
kafka-configs() { tool kafka.admin.ConfigCommand "${server[@]}" "$@"; }
kafka-get-offsets() { tool org.apache.kafka.tools.GetOffsetShell "${server[@]}" "$@"; }
kafka-delete-records() { tool org.apache.kafka.tools.DeleteRecordsCommand "${server[@]}" "$@"; }
kafka-log-dirs() { tool org.apache.kafka.tools.LogDirsCommand "${server[@]}" "$@"; }
kafka-cluster() { tool org.apache.kafka.tools.ClusterTool "$@" "${server[@]}"; }
kafka-groups() { tool org.apache.kafka.tools.GroupsCommand "${server[@]}" "$@"; }
kafka-transactions() { tool org.apache.kafka.tools.TransactionsCommand "${server[@]}" "$@"; }
kafka-acls() { tool org.apache.kafka.tools.AclCommand "${server[@]}" "$@"; }
kafka-broker-api-versions() { tool org.apache.kafka.tools.BrokerApiVersionsCommand "${server[@]}" "$@"; }
kafka-console-producer() { tool org.apache.kafka.tools.ConsoleProducer "${server[@]}" "$@"; }
kafka-console-consumer() { tool org.apache.kafka.tools.consumer.ConsoleConsumer "${server[@]}" "$@"; }
kafka-console-share-consumer() {
    tool org.apache.kafka.tools.consumer.ConsoleShareConsumer "${server[@]}" "$@"
}
kafka-consumer-groups() {
    tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "${server[@]}" "$@"
}
kafka-share-groups() { tool org.apache.kafka.tools.consumer.group.ShareGroupCommand "${server[@]}" "$@"; }
kafka-producer-perf-test() { tool org.apache.kafka.tools.ProducerPerformance "$@"; }
kafka-consumer-perf-test() { tool org.apache.kafka.tools.ConsumerPerformance "${server[@]}" "$@"; }
