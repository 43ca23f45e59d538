package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.settings;
import static onrush.clients.Check.unique;
import static onrush.clients.Check.until;

import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** Kafka Streams with exactly_once_v2: repartition, count in a store with a changelog, restart, go on. */
public final class WordCount {
    static final String APPLICATION = unique("streams");
    static final String IN = unique("streams-in");
    static final String OUT = unique("streams-out");
    static final List<String> WORDS = List.of("apple", "pear", "fig", "plum");

    public static void main(String[] arguments) {
        Check.run(WordCount::main);
    }

    static void main() throws Exception {
        try (var admin = Admin.create(settings())) {
            var topics = List.of(new NewTopic(IN, 2, (short) 1), new NewTopic(OUT, 2, (short) 1));
            admin.createTopics(topics).all().get();
            fill(500);
            count("first run", Map.of("apple", 125L, "pear", 125L, "fig", 125L, "plum", 125L), 500);
            // A new instance without local state restores it from the changelog topic.
            fill(100);
            count("after a restart", Map.of("apple", 150L, "pear", 150L, "fig", 150L, "plum", 150L), 600);
            var internal = admin.listTopics().names().get().stream().filter(one -> one.startsWith(APPLICATION)).sorted().toList();
            equal("its internal topics", internal.size(), 2);
            var transactions = admin.listTransactions().all().get();
            holds("it used transactions", transactions.stream()
                    .anyMatch(one -> one.transactionalId().startsWith(APPLICATION)), transactions);
        }
    }

    static void fill(int count) {
        try (var producer = new KafkaProducer<>(settings(), new StringSerializer(), new StringSerializer())) {
            IntStream.range(0, count).forEach(i ->
                    producer.send(new ProducerRecord<>(IN, i % 2, "line" + i, WORDS.get(i % WORDS.size()))));
        }
    }

    static Topology topology() {
        var builder = new StreamsBuilder();
        builder.stream(IN, Consumed.with(Serdes.String(), Serdes.String()))
                .groupBy((line, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
                .count(Materialized.as("counts"))
                .toStream()
                .to(OUT, Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    /** Runs the application over an empty directory until the output has all updates. */
    static void count(String when, Map<String, Long> wanted, int updates) throws Exception {
        var properties = new Properties();
        properties.putAll(settings(
                StreamsConfig.APPLICATION_ID_CONFIG, APPLICATION,
                StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2,
                StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("onrush-streams").toString(),
                // Each update is written, so that a repeated one would show.
                StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0,
                StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100,
                StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2,
                StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest"));
        try (var streams = new KafkaStreams(topology(), properties)) {
            streams.start();
            var found = read(updates);
            equal(when + ": updates", found.size(), updates);
            var last = new HashMap<String, Long>();
            found.forEach(one -> last.merge(one.getKey(), one.getValue(), Math::max));
            equal(when + ": counts", last, wanted);
            equal(when + ": each update once", found.stream().distinct().count(), (long) updates);
            holds(when + ": it closes", streams.close(Duration.ofSeconds(30)), streams.state());
        }
    }

    /** What committed readers see of the output, and whatever follows within a second. */
    static List<Map.Entry<String, Long>> read(int wanted) {
        var all = settings("group.id", unique("reader"), "auto.offset.reset", "earliest",
                "isolation.level", "read_committed");
        var updates = new ArrayList<Map.Entry<String, Long>>();
        try (var consumer = new KafkaConsumer<>(all, new StringDeserializer(), new LongDeserializer())) {
            consumer.subscribe(List.of(OUT));
            until(90, () -> {
                consumer.poll(Duration.ofMillis(200)).forEach(one -> updates.add(Map.entry(one.key(), one.value())));
                return updates.size() >= wanted;
            });
            consumer.poll(Duration.ofSeconds(1)).forEach(one -> updates.add(Map.entry(one.key(), one.value())));
        }
        return updates;
    }
}
