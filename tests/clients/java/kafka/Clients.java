package onrush.clients;

import static onrush.clients.Check.settings;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Clients of text, as the cases use them. */
final class Clients {
    private Clients() {}

    static Admin admin() {
        return Admin.create(settings());
    }

    static void create(Admin admin, String topic, int partitions) throws Exception {
        create(admin, topic, partitions, Map.of());
    }

    static void create(Admin admin, String topic, int partitions, Map<String, String> configs)
            throws Exception {
        var wanted = new NewTopic(topic, partitions, (short) 1).configs(configs);
        admin.createTopics(List.of(wanted)).all().get();
    }

    static KafkaProducer<String, String> producer(Object... more) {
        return new KafkaProducer<>(settings(more), new StringSerializer(), new StringSerializer());
    }

    /** A consumer that begins at the start and commits nothing by itself. */
    static KafkaConsumer<String, String> consumer(String group, Object... more) {
        var all = settings(more);
        all.put("group.id", group);
        all.put("auto.offset.reset", "earliest");
        all.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    /** Polls until it has that many records, or for half a minute. */
    static List<ConsumerRecord<String, String>> take(KafkaConsumer<String, String> consumer, int wanted) {
        var records = new ArrayList<ConsumerRecord<String, String>>();
        Check.until(30, () -> {
            consumer.poll(Duration.ofMillis(300)).forEach(records::add);
            return records.size() >= wanted;
        });
        return records;
    }
}
