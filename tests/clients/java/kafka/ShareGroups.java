package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.settings;
import static onrush.clients.Check.unique;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Share groups (KIP-932): two members of one partition; accept, release with a count, reject. */
public final class ShareGroups {
    static final int COUNT = 100;

    public static void main(String[] arguments) {
        Check.run(ShareGroups::main);
    }

    static KafkaShareConsumer<String, String> member(String group, Object... more) {
        var all = settings(more);
        all.put("group.id", group);
        return new KafkaShareConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    static void main() throws Exception {
        var topic = unique("share");
        var group = unique("share-group");
        try (var admin = Clients.admin()) {
            Clients.create(admin, topic, 1);
            var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
            var earliest = new ConfigEntry("share.auto.offset.reset", "earliest");
            var set = new AlterConfigOp(earliest, AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();

            // A batch a record, so that members take turns.
            produce(topic, 0, COUNT, "linger.ms", "0", "batch.size", "1");
            shareWork(topic, group);
            produce(topic, 200, 203);
            settle(topic, group);

            var described = admin.describeShareGroups(List.of(group)).describedGroups().get(group).get();
            equal("described", described.groupId(), group);
            var listed = admin.listGroups().all().get();
            var share = listed.stream().anyMatch(one -> one.groupId().equals(group)
                    && one.type().map(Object::toString).orElse("").equals("Share"));
            holds("listed as a share group", share, listed);
        }
    }

    static void produce(String topic, int from, int until, Object... more) {
        try (var producer = Clients.producer(more)) {
            IntStream.range(from, until).forEach(i -> producer.send(new ProducerRecord<>(topic, "" + i)));
        }
    }

    static void shareWork(String topic, String group) throws Exception {
        var times = new ConcurrentHashMap<String, Integer>();
        var stop = new AtomicBoolean();
        var counts = List.of(new AtomicInteger(), new AtomicInteger());
        var threads = counts.stream().map(count -> new Thread(() -> {
            try (var member = member(group, "max.poll.records", "5")) {
                member.subscribe(List.of(topic));
                while (!stop.get()) {
                    for (var record : member.poll(Duration.ofMillis(300))) {
                        times.merge(record.value(), 1, Integer::sum);
                        count.incrementAndGet();
                    }
                    // Work, so that the other has its turn.
                    Thread.sleep(20);
                }
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        })).toList();
        threads.forEach(Thread::start);
        Check.until(40, () -> times.size() >= COUNT);
        // A member that ends gives back what it was given last: the other may still get it.
        var seen = Map.copyOf(times);
        stop.set(true);
        for (var thread : threads) thread.join();
        equal("the members see every record", seen.size(), COUNT);
        holds("each once", seen.values().stream().allMatch(n -> n == 1), seen);
        holds("both worked", counts.stream().allMatch(n -> n.get() > 0), counts);
    }

    /** 200 is released twice and then accepted, 201 rejected, 202 accepted. */
    static void settle(String topic, String group) {
        var deliveries = new TreeMap<String, List<Integer>>();
        try (var member = member(group, "share.acknowledgement.mode", "explicit")) {
            member.subscribe(List.of(topic));
            int[] accepted = {0};
            Check.until(40, () -> {
                for (var record : member.poll(Duration.ofMillis(300))) {
                    var counts = deliveries.computeIfAbsent(record.value(), value -> new ArrayList<>());
                    counts.add(record.deliveryCount().orElseThrow().intValue());
                    var type = switch (record.value()) {
                        case "200" -> counts.size() < 3 ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT;
                        case "201" -> AcknowledgeType.REJECT;
                        default -> AcknowledgeType.ACCEPT;
                    };
                    if (type == AcknowledgeType.ACCEPT && record.value().startsWith("20")) accepted[0]++;
                    member.acknowledge(record, type);
                }
                member.commitSync();
                return accepted[0] >= 2;
            });
        }
        equal("a released record comes with a rising count", deliveries.get("200"), List.of(1, 2, 3));
        equal("a rejected one does not come again", deliveries.get("201"), List.of(1));
        equal("nor does an accepted one", deliveries.get("202"), List.of(1));
    }
}
