"""Administration: topics, configurations, partitions, records, groups, and their refusals."""

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

from checks import KAFKA, check, equal, refused, run, unique, until


def found_in(answer, key):
    """The value under a key anywhere in an answer; its shape differs between client releases."""
    if isinstance(answer, dict):
        if key in answer:
            return answer[key]
        answer = list(answer.values())
    if isinstance(answer, (list, tuple)):
        found = (found_in(part, key) for part in answer)
        return next((one for one in found if one is not None), None)
    return None


def main():
    admin = KafkaAdminClient(bootstrap_servers=KAFKA, client_id="admin-case")
    topic, group = unique("admin"), unique("admin-group")
    zero = TopicPartition(topic, 0)
    settings = {"retention.ms": "3600000", "cleanup.policy": "delete"}
    admin.create_topics([NewTopic(topic, 3, 1, topic_configs=settings)])

    def create(*arguments):
        return lambda: admin.create_topics([NewTopic(*arguments)])

    refused("a topic that is there", errors.TopicAlreadyExistsError, create(topic, 3, 1))
    refused("a bad name", errors.InvalidTopicError, create("bad name!", 1, 1))
    too_many = create(unique("replicas"), 1, 99)
    refused("more replicas than brokers", errors.InvalidReplicationFactorError, too_many)

    check("the topic is listed", until(lambda: topic in admin.list_topics(), 10))
    partitions = admin.describe_topics([topic])[0]["partitions"]
    numbers = sorted(p.get("partition_index", p.get("partition")) for p in partitions)
    equal("its partitions are described", numbers, [0, 1, 2])
    led = all(p.get("leader_id", p.get("leader", -1)) >= 0 for p in partitions)
    check("each has a leader", led, partitions)
    cluster = admin.describe_cluster()
    check("the cluster is described", cluster["cluster_id"] and cluster["brokers"], cluster)

    def setting(key):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        entry = found_in(admin.describe_configs([resource], config_filter="all"), key)
        return str(entry.get("value", entry.get("config_value")) if isinstance(entry, dict) else entry)

    equal("a setting as created", setting("retention.ms"), "3600000")
    check("defaults are listed too", setting("max.message.bytes") != "None")
    changed = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "7200000"})
    admin.alter_configs([changed])
    check("a setting is changed", until(lambda: setting("retention.ms") == "7200000", 10))
    admin.create_partitions({topic: NewPartitions(5)})
    grown = until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 5, 10)
    check("partitions are added", grown)

    producer = KafkaProducer(bootstrap_servers=KAFKA, acks="all")
    for i in range(30):
        producer.send(topic, b"%d" % i, partition=0)
    producer.flush()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=KAFKA,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=8000,
    )
    for _ in range(12):
        next(consumer)
    consumer.commit({zero: OffsetAndMetadata(12, "", -1)})
    check("the group is listed", group in str(admin.list_groups()))
    described = str(admin.describe_groups([group]))
    check("it is stable with a member", "Stable" in described and topic in described, described)
    offsets = str(admin.list_group_offsets({group: None}))
    check("its offset is listed", topic in offsets and "12" in offsets, offsets)
    consumer.close()
    empty = until(lambda: "Empty" in str(admin.describe_groups([group])), 15)
    check("it is empty once its member left", empty, admin.describe_groups([group]))

    admin.delete_records({zero: 10})
    reader = KafkaConsumer(bootstrap_servers=KAFKA)
    equal("records are deleted", reader.beginning_offsets([zero]), {zero: 10})
    admin.delete_groups([group])
    check("the group is deleted", until(lambda: group not in str(admin.list_groups()), 10))
    admin.delete_topics([topic])
    check("the topic is deleted", until(lambda: topic not in admin.list_topics(), 15))
    missing = errors.UnknownTopicOrPartitionError
    refused("a topic that is not there", missing, lambda: admin.delete_topics([topic]))


run(main)
