package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.refused;
import static onrush.clients.Check.unique;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.quota.ClientQuotaFilter;

/** The calls that Kafka UI (kafbat) makes for each of its pages. */
public final class KafkaUi {
    static final long BEGIN_MS = System.currentTimeMillis() - 3_600_000;

    public static void main(String[] arguments) {
        Check.run(KafkaUi::main);
    }

    static void main() throws Exception {
        try (var admin = Clients.admin()) {
            var topic = unique("ui");
            Clients.create(admin, topic, 3, Map.of("retention.ms", "3600000"));
            try (var producer = Clients.producer()) {
                for (int i = 0; i < 90; i++) {
                    long time = BEGIN_MS + (i == 30 ? 999_999 : i);
                    producer.send(new ProducerRecord<>(topic, i % 3, time, null, "" + i));
                }
            }
            int broker = dashboard(admin);
            brokerPage(admin, broker, topic);
            topicPages(admin, topic);
            topicForms(admin);
            messagesPage(admin, topic);
            consumerGroupPages(admin, topic);
            admin.deleteTopics(List.of(topic)).all().get();
        }
    }

    /** The dashboard, and what the pages probe a cluster's abilities with. */
    static int dashboard(Admin admin) throws Exception {
        var cluster = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
        holds("the cluster has an id", !cluster.clusterId().get().isEmpty(), cluster.clusterId().get());
        Collection<?> nodes = cluster.nodes().get();
        holds("nodes and the controller among them", nodes.contains(cluster.controller().get()), nodes);
        var features = admin.describeFeatures().featureMetadata().get().finalizedFeatures();
        holds("the metadata version", features.containsKey("metadata.version"), features);
        refused("there is no authorizer", SecurityDisabledException.class,
                () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
        // Where this is not known it takes the cluster for one without KRaft; any other error ends the page.
        refused("there is no quorum", UnsupportedVersionException.class,
                () -> admin.describeMetadataQuorum().quorumInfo().get());
        var controller = cluster.controller().get();
        var resource = new ConfigResource(ConfigResource.Type.BROKER, controller.idString());
        var settings = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        equal("topics can be deleted", settings.get("delete.topic.enable").value(), "true");
        return cluster.controller().get().id();
    }

    static void brokerPage(Admin admin, int broker, String topic) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.BROKER, "" + broker);
        var all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        var settings = admin.describeConfigs(List.of(resource), all).all().get().get(resource).entries();
        holds("settings of the broker", settings.size() > 3, settings);
        var directories = admin.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker).values();
        var zero = new TopicPartition(topic, 0);
        var sized = directories.stream().map(one -> Optional.ofNullable(one.replicaInfos().get(zero)))
                .anyMatch(replica -> replica.isPresent() && replica.get().size() > 0);
        holds("log directories have the partition's size", sized, directories);
        var change = new AlterConfigOp(new ConfigEntry("num.partitions", "7"), AlterConfigOp.OpType.SET);
        refused("the broker's settings are read-only", InvalidConfigurationException.class,
                () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get());
        var quotas = ClientQuotaFilter.all();
        equal("nobody has a quota", admin.describeClientQuotas(quotas).entities().get(), Map.of());
    }

    /** The list of topics, and a topic's overview and settings. */
    static void topicPages(Admin admin, String topic) throws Exception {
        var names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        holds("the topic is listed", names.contains(topic), names);
        var withOperations = new DescribeTopicsOptions().includeAuthorizedOperations(true);
        var described = admin.describeTopics(List.of(topic), withOperations).allTopicNames().get().get(topic);
        equal("its partitions", described.partitions().size(), 3);
        var replicated = described.partitions().stream()
                .allMatch(one -> one.leader() != null && one.isr().contains(one.leader()));
        holds("leaders in sync", replicated, described);
        holds("its id", !described.topicId().equals(Uuid.ZERO_UUID), described.topicId());
        var byId = admin.describeTopics(TopicCollection.ofTopicIds(List.of(described.topicId())));
        equal("described by it", byId.allTopicIds().get().get(described.topicId()).name(), topic);

        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        var settings = admin.describeConfigs(List.of(resource), all).all().get().get(resource);
        equal("a setting's source", settings.get("retention.ms").source(),
                ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG);
        holds("a default's", settings.get("cleanup.policy").isDefault(), settings.get("cleanup.policy"));
        holds("a setting's synonyms", !settings.get("retention.ms").synonyms().isEmpty(), settings);

        var zero = new TopicPartition(topic, 0);
        holds("producers", admin.describeProducers(List.of(zero)).all().get().containsKey(zero), zero);
        var moving = admin.listPartitionReassignments().reassignments().get();
        holds("nothing is being reassigned", moving.isEmpty(), moving);

        // The settings' form: what is in it is set, what was set and is not in it any more is taken away.
        var form = List.of(new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), AlterConfigOp.OpType.SET),
                new AlterConfigOp(new ConfigEntry("retention.ms", null), AlterConfigOp.OpType.DELETE));
        admin.incrementalAlterConfigs(Map.of(resource, form)).all().get();
        var altered = admin.describeConfigs(List.of(resource), all).all().get().get(resource);
        equal("a setting is altered", altered.get("max.message.bytes").value(), "2000000");
        holds("one is back at its default", altered.get("retention.ms").isDefault(), altered.get("retention.ms"));
        holds("settings are documented", altered.get("max.message.bytes").documentation() != null, altered);
    }

    /** The form of a new topic, more partitions, messages purged, a topic made anew. */
    static void topicForms(Admin admin) throws Exception {
        var name = unique("ui-form");
        var wanted = new NewTopic(name, Optional.of(2), Optional.empty()).configs(Map.of("cleanup.policy", "delete"));
        admin.createTopics(List.of(wanted)).all().get();
        refused("a topic that is there", TopicExistsException.class,
                () -> admin.createTopics(List.of(wanted)).all().get());
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(3))).all().get();
        equal("a partition more", admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size(), 3);
        try (var producer = Clients.producer()) {
            for (int i = 0; i < 30; i++) producer.send(new ProducerRecord<>(name, i % 3, null, "" + i));
        }
        var purge = IntStream.range(0, 3).mapToObj(i -> new TopicPartition(name, i))
                .collect(Collectors.toMap(at -> at, at -> RecordsToDelete.beforeOffset(10)));
        admin.deleteRecords(purge).all().get();
        for (var at : purge.keySet()) equal("messages are purged", offset(admin, at, OffsetSpec.earliest()), 10L);
        admin.deleteTopics(List.of(name)).all().get();
        admin.createTopics(List.of(wanted)).all().get();
        equal("made anew", offset(admin, new TopicPartition(name, 0), OffsetSpec.latest()), 0L);
        admin.deleteTopics(List.of(name)).all().get();
        refused("one that is gone", UnknownTopicOrPartitionException.class,
                () -> admin.describeTopics(List.of(name)).allTopicNames().get());
    }

    /** The messages page reads partitions without a group, from either end and by time. */
    static void messagesPage(Admin admin, String topic) throws Exception {
        var zero = new TopicPartition(topic, 0);
        equal("latest", offset(admin, zero, OffsetSpec.latest()), 30L);
        equal("earliest", offset(admin, zero, OffsetSpec.earliest()), 0L);
        equal("of the greatest time", offset(admin, zero, OffsetSpec.maxTimestamp()), 10L);
        equal("by time", offset(admin, zero, OffsetSpec.forTimestamp(BEGIN_MS + 4)), 2L);
        var all = IntStream.range(0, 3).mapToObj(i -> new TopicPartition(topic, i)).toList();
        try (var consumer = Clients.consumer(null, "isolation.level", "read_uncommitted")) {
            consumer.assign(all);
            var ends = consumer.endOffsets(all);
            consumer.beginningOffsets(all).forEach(consumer::seek);
            equal("oldest first", Clients.take(consumer, 90).size(), 90);
            ends.forEach((partition, end) -> consumer.seek(partition, end - 10));
            equal("newest first", Clients.take(consumer, 30).size(), 30);
            var since = consumer.offsetsForTimes(Map.of(zero, BEGIN_MS + 60)).get(zero);
            equal("since a time", since.offset(), 10L);
        }
    }

    static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    static void consumerGroupPages(Admin admin, String topic) throws Exception {
        var group = unique("ui-group");
        try (var consumer = Clients.consumer(group)) {
            consumer.subscribe(List.of(topic));
            equal("the group reads all", Clients.take(consumer, 90).size(), 90);
            consumer.commitSync();
            var listed = admin.listConsumerGroups().all().get();
            holds("it is listed", listed.stream().anyMatch(one -> one.groupId().equals(group)), listed);
            var groups = admin.listGroups().all().get();
            holds("among all groups too", groups.stream().anyMatch(one -> one.groupId().equals(group)), groups);
            var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            equal("its state", described.groupState().toString(), "Stable");
            holds("its coordinator", described.coordinator() != null, described);
            var member = described.members().iterator().next();
            equal("its member's partitions", member.assignment().topicPartitions().size(), 3);
            holds("its member's host", member.host().startsWith("/"), member);
            var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            var sum = offsets.values().stream().mapToLong(one -> one.offset()).sum();
            equal("its offsets add up", sum, 90L);
            var many = Map.of(group, new ListConsumerGroupOffsetsSpec(), unique("none"), new ListConsumerGroupOffsetsSpec());
            equal("of many groups at once", admin.listConsumerGroupOffsets(many).all().get().get(group).size(), 3);
            refused("one with members stays", GroupNotEmptyException.class,
                    () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
        var zero = new TopicPartition(topic, 0);
        admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(5))).all().get();
        var reset = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal("offsets are reset", reset.get(zero).offset(), 5L);
        admin.deleteConsumerGroupOffsets(group, Set.of(new TopicPartition(topic, 0))).all().get();
        admin.deleteConsumerGroups(List.of(group)).all().get();
        var listed = admin.listGroups().all().get();
        holds("the group is deleted", listed.stream().noneMatch(one -> one.groupId().equals(group)), listed);
    }
}
