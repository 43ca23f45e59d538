package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.refused;
import static onrush.clients.Check.unique;
import static onrush.clients.Check.until;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What AdminClient changes, and which changes are refused and how. */
public final class Administration {
    public static void main(String[] arguments) {
        Check.run(Administration::main);
    }

    static void main() throws Exception {
        try (var admin = Clients.admin()) {
            var topic = unique("administration");
            topics(admin, topic);
            settings(admin, topic);
            partitions(admin, topic);
            groups(admin, topic);
            compacted(admin);
            var missing = List.of(unique("missing"));
            refused("an unknown topic", UnknownTopicOrPartitionException.class,
                    () -> admin.describeTopics(missing).allTopicNames().get());
            admin.deleteTopics(List.of(topic)).all().get();
            holds("the topic is deleted", until(8, () -> !admin.listTopics().names().get().contains(topic)), topic);
        }
    }

    static void topics(Admin admin, String topic) throws Exception {
        Clients.create(admin, topic, 3, Map.of("retention.ms", "3600000"));
        refused("a topic that is there", TopicExistsException.class, () -> {
            Clients.create(admin, topic, 1);
            return "created";
        });
        var wrong = new NewTopic(unique("wrong"), 1, (short) 1).configs(Map.of("retention.ms", "abc"));
        var onlyValidate = new CreateTopicsOptions().validateOnly(true);
        refused("a setting that makes no sense", InvalidConfigurationException.class,
                () -> admin.createTopics(List.of(wrong), onlyValidate).all().get());
        var fine = new NewTopic(unique("fine"), 1, (short) 1);
        admin.createTopics(List.of(fine), onlyValidate).all().get();
        holds("validating makes no topic", !admin.listTopics().names().get().contains(fine.name()), fine);
    }

    static void settings(Admin admin, String topic) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        change(admin, resource, new ConfigEntry("retention.ms", "60000"), OpType.SET);
        change(admin, resource, new ConfigEntry("cleanup.policy", "compact"), OpType.APPEND);
        settles(admin, resource, "SET", "retention.ms", Set.of("60000"));
        settles(admin, resource, "APPEND", "cleanup.policy", Set.of("compact,delete", "delete,compact"));
        change(admin, resource, new ConfigEntry("cleanup.policy", "compact"), OpType.SUBTRACT);
        settles(admin, resource, "SUBTRACT", "cleanup.policy", Set.of("delete"));
        change(admin, resource, new ConfigEntry("retention.ms", ""), OpType.DELETE);
        settles(admin, resource, "DELETE", "retention.ms", Set.of("604800000"));
        refused("a value that makes no sense", InvalidConfigurationException.class, () -> {
            change(admin, resource, new ConfigEntry("retention.ms", "abc"), OpType.SET);
            return "changed";
        });
    }

    static void change(Admin admin, ConfigResource resource, ConfigEntry entry, OpType type) throws Exception {
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(entry, type)))).all().get();
    }

    static void settles(Admin admin, ConfigResource resource, String what, String key, Set<String> wanted)
            throws Exception {
        var settled = until(5, () -> wanted.contains(setting(admin, resource, key)));
        holds(what, settled, setting(admin, resource, key));
    }

    static String setting(Admin admin, ConfigResource resource, String key) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key).value();
    }

    static void partitions(Admin admin, String topic) throws Exception {
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
        holds("partitions are added", until(5, () -> admin.describeTopics(List.of(topic)).allTopicNames().get()
                .get(topic).partitions().size() == 4), topic);
        refused("fewer partitions", InvalidPartitionsException.class,
                () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
        try (var producer = Clients.producer()) {
            for (int i = 0; i < 90; i++) producer.send(new ProducerRecord<>(topic, i % 3, null, "" + i));
        }
        var two = new TopicPartition(topic, 2);
        var deleted = admin.deleteRecords(Map.of(two, RecordsToDelete.beforeOffset(12)));
        equal("records are deleted", deleted.lowWatermarks().get(two).get().lowWatermark(), 12L);
    }

    static void groups(Admin admin, String topic) throws Exception {
        var group = unique("administration-group");
        var zero = new TopicPartition(topic, 0);
        var three = Map.of(zero, new OffsetAndMetadata(3));
        try (var consumer = Clients.consumer(group)) {
            consumer.subscribe(List.of(topic));
            equal("consumed", Clients.take(consumer, 78).size(), 78);
            consumer.commitSync();
            refused("a live group's offsets", UnknownMemberIdException.class,
                    () -> admin.alterConsumerGroupOffsets(group, three).all().get());
            refused("a live group", GroupNotEmptyException.class,
                    () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
        admin.alterConsumerGroupOffsets(group, three).all().get();
        var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal("offsets are altered", offsets.get(zero).offset(), 3L);
        admin.deleteConsumerGroupOffsets(group, Set.of(zero)).all().get();
        offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal("an offset is deleted", offsets.get(zero), null);
        admin.deleteConsumerGroups(List.of(group)).all().get();
        refused("a group that is not there", GroupIdNotFoundException.class,
                () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    }

    static void compacted(Admin admin) throws Exception {
        var topic = unique("compacted");
        Clients.create(admin, topic, 1, Map.of("cleanup.policy", "compact"));
        try (var producer = Clients.producer()) {
            refused("a record without a key in a compacted topic", InvalidRecordException.class,
                    () -> producer.send(new ProducerRecord<>(topic, null, "value")).get());
            var keyed = producer.send(new ProducerRecord<>(topic, "key", "value")).get();
            equal("one with a key", keyed.offset(), 0L);
        }
        admin.deleteTopics(List.of(topic)).all().get();
    }
}
