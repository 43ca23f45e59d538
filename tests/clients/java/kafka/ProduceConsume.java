package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.unique;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** The default (idempotent) producer with every codec; a consumer's positions; no group. */
public final class ProduceConsume {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final int EACH = 400;
    static final long BEGIN_MS = System.currentTimeMillis() - 3_600_000;

    public static void main(String[] arguments) {
        Check.run(ProduceConsume::main);
    }

    static void main() throws Exception {
        try (var admin = Clients.admin()) {
            var topic = unique("produce");
            Clients.create(admin, topic, 3);
            int produced = fill(topic);
            consume(topic, produced);
            admin.deleteTopics(List.of(topic)).all().get();
        }
    }

    /** Produces with every codec; how many in all. */
    static int fill(String topic) throws Exception {
        int produced = 0;
        for (var codec : CODECS) {
            try (var producer = Clients.producer("compression.type", codec, "linger.ms", "10")) {
                var failures = new AtomicInteger();
                for (int i = 0; i < EACH; i++) {
                    var record = new ProducerRecord<>(topic, "user" + i, codec + "-" + i + "x".repeat(50));
                    record.headers().add("event-type", "content.watched".getBytes(StandardCharsets.UTF_8));
                    record.headers().add("empty", new byte[0]);
                    producer.send(record, (metadata, error) -> {
                        if (error != null) failures.incrementAndGet();
                    });
                }
                producer.flush();
                equal(codec + ": failed records", failures.get(), 0);
                produced += EACH;
                var timed = new ProducerRecord<>(topic, 0, BEGIN_MS + produced, "time", codec);
                var metadata = producer.send(timed).get();
                produced++;
                holds(codec + ": the offset is told", metadata.hasOffset(), metadata);
                equal(codec + ": and the time", metadata.timestamp(), timed.timestamp());
            }
        }
        return produced;
    }

    static void consume(String topic, int produced) {
        var zero = new TopicPartition(topic, 0);
        var all = IntStream.range(0, 3).mapToObj(i -> new TopicPartition(topic, i)).toList();
        try (var consumer = Clients.consumer(null)) {
            consumer.assign(all);
            var records = Clients.take(consumer, produced);
            equal("all come back", records.size(), produced);
            var values = records.stream().filter(one -> one.key().startsWith("user")).map(one -> one.value());
            equal("each once", values.distinct().count(), (long) CODECS.size() * EACH);
            var watched = records.stream().filter(one -> one.key().equals("user7")).findFirst().orElseThrow();
            var header = watched.headers().lastHeader("event-type").value();
            equal("a header", new String(header, StandardCharsets.UTF_8), "content.watched");

            consumer.seek(zero, 5);
            consumer.pause(all.subList(1, 3));
            equal("seek", Clients.take(consumer, 1).get(0).offset(), 5L);
            holds("the lag is known", consumer.currentLag(zero).isPresent(), consumer.currentLag(zero));
            long end = consumer.endOffsets(Set.of(zero)).get(zero);
            holds("the end", end > 0, end);
            equal("the beginning", consumer.beginningOffsets(Set.of(zero)).get(zero), 0L);
            var byTime = consumer.offsetsForTimes(Map.of(zero, BEGIN_MS + 1)).get(zero);
            holds("an offset by time", byTime != null && byTime.timestamp() > BEGIN_MS, byTime);
            consumer.seekToEnd(List.of(zero));
            equal("nothing after the end", consumer.poll(Duration.ofMillis(700)).count(), 0);
        }
    }
}
