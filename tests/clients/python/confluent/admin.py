"""AdminClient: cluster, topics, configurations, offsets, groups and their offsets, deletions."""

import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from checks import KAFKA, check, equal, run, unique, until

BEGIN_MS = int(time.time() * 1000) - 3_600_000
TIMEOUT = 20


def topics(admin, topic):
    settings = {"retention.ms": "3600000"}
    admin.create_topics([NewTopic(topic, 3, 1, config=settings)])[topic].result(TIMEOUT)
    try:
        admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(TIMEOUT)
        check("a second topic of that name is refused", False)
    except KafkaException as refusal:
        code = refusal.args[0].code()
        equal("a second topic of that name is refused", code, KafkaError.TOPIC_ALREADY_EXISTS)

    metadata = admin.list_topics(timeout=10)
    known = metadata.brokers and metadata.controller_id in metadata.brokers and metadata.cluster_id
    check("brokers, controller and cluster id", known, vars(metadata))
    equal("the topic's partitions", sorted(metadata.topics[topic].partitions), [0, 1, 2])
    cluster = admin.describe_cluster().result(TIMEOUT)
    equal("the cluster described", cluster.cluster_id, metadata.cluster_id)
    described = admin.describe_topics(TopicCollection([topic]))[topic].result(TIMEOUT)
    with_id = str(described.topic_id) not in ("", "AAAAAAAAAAAAAAAAAAAAAA")
    check("the topic described has an id", with_id, described.topic_id)
    equal("and its partitions", len(described.partitions), 3)
    return metadata.controller_id


def settings(admin, topic, broker):
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def described(of=resource):
        return admin.describe_configs([of])[of].result(TIMEOUT)

    equal("a setting as created", described()["retention.ms"].value, "3600000")
    policy = described()["cleanup.policy"]
    equal("a default is marked as one", (policy.value, policy.is_default), ("delete", True))
    set_to = AlterConfigOpType.SET
    changes = [
        ConfigEntry("retention.ms", "1000000", incremental_operation=set_to),
        ConfigEntry("max.message.bytes", "2000000", incremental_operation=set_to),
    ]
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=changes)
    for one in admin.incremental_alter_configs([changed]).values():
        one.result(TIMEOUT)
    taken = until(lambda: described()["max.message.bytes"].value == "2000000", 10)
    check("settings are changed", taken, described()["max.message.bytes"].value)
    of_broker = described(ConfigResource(ResourceType.BROKER, str(broker)))
    check("a broker has settings", len(of_broker) > 5, len(of_broker))


def offsets(admin, topic):
    zero = TopicPartition(topic, 0)
    producer = Producer({"bootstrap.servers": KAFKA})
    for i in range(50):
        producer.produce(topic, b"%d" % i, partition=0, timestamp=BEGIN_MS + i)
    producer.flush(10)
    for name, spec, wanted in [
        ("latest", OffsetSpec.latest(), 50),
        ("earliest", OffsetSpec.earliest(), 0),
        ("by greatest time", OffsetSpec.max_timestamp(), 49),
        ("by time", OffsetSpec.for_timestamp(BEGIN_MS + 20), 20),
    ]:
        listed = admin.list_offsets({zero: spec})[zero].result(TIMEOUT)
        equal(f"the offset {name}", listed.offset, wanted)


def groups(admin, topic, group):
    zero = TopicPartition(topic, 0)
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    received = consumer.consume(50, 20)
    consumer.commit(asynchronous=False)
    equal("records for the group", len(received), 50)

    def listed():
        return [one.group_id for one in admin.list_consumer_groups().result(TIMEOUT).valid]

    check("the group is listed", group in listed())
    described = admin.describe_consumer_groups([group])[group].result(TIMEOUT)
    assigned = [len(one.assignment.topic_partitions) for one in described.members]
    equal("its member's assignment", assigned, [6])
    consumer.close()

    def committed():
        request = [ConsumerGroupTopicPartitions(group, [zero])]
        answer = admin.list_consumer_group_offsets(request)[group].result(TIMEOUT)
        return answer.topic_partitions[0].offset

    equal("its offset", committed(), 50)
    altered = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 7)])
    admin.alter_consumer_group_offsets([altered])[group].result(TIMEOUT)
    equal("its offset, altered", committed(), 7)
    admin.delete_consumer_groups([group])[group].result(TIMEOUT)
    check("the group is deleted", group not in listed())


def main():
    admin = AdminClient({"bootstrap.servers": KAFKA})
    topic, group = unique("admin"), unique("admin-group")
    broker = topics(admin, topic)
    settings(admin, topic, broker)
    admin.create_partitions([NewPartitions(topic, 6)])[topic].result(TIMEOUT)

    def partitions():
        return len(admin.list_topics(topic, timeout=10).topics[topic].partitions)

    check("partitions are added", until(lambda: partitions() == 6, 10), partitions())
    offsets(admin, topic)
    groups(admin, topic, group)
    until_20 = TopicPartition(topic, 0, 20)
    deleted = admin.delete_records([until_20])[TopicPartition(topic, 0)].result(TIMEOUT)
    equal("records are deleted", deleted.low_watermark, 20)
    admin.delete_topics([topic])[topic].result(TIMEOUT)
    gone = until(lambda: topic not in admin.list_topics(timeout=10).topics, 10)
    check("the topic is deleted", gone)


run(main)
