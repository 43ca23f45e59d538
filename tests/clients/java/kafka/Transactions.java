package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.unique;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Transactions: commit, abort, a copy loop with offsets, fencing, what the administration tells. */
public final class Transactions {
    static final int COUNT = 60;

    public static void main(String[] arguments) {
        Check.run(Transactions::main);
    }

    static KafkaProducer<String, String> transactional(String id) {
        var producer = Clients.producer("transactional.id", id, "transaction.timeout.ms", "20000");
        producer.initTransactions();
        return producer;
    }

    /** Another has taken its place: of the two errors that say so, which comes depends on who tells it first. */
    static void fenced(String what, Callable<?> call) {
        try {
            holds(what, false, call.call());
        } catch (Throwable thrown) {
            var cause = thrown;
            while (cause != null && !(cause instanceof ProducerFencedException
                    || cause instanceof InvalidProducerEpochException)) cause = cause.getCause();
            holds(what, cause != null, thrown);
        }
    }

    /** What a new group sees: that many records and whatever follows within a second. */
    static List<String> read(String topic, String isolation, int wanted) {
        try (var consumer = Clients.consumer(unique("reader"), "isolation.level", isolation)) {
            consumer.subscribe(List.of(topic));
            var values = new ArrayList<String>();
            Clients.take(consumer, wanted).forEach(record -> values.add(record.value()));
            consumer.poll(Duration.ofSeconds(1)).forEach(record -> values.add(record.value()));
            return values;
        }
    }

    static void main() throws Exception {
        var source = unique("source");
        var target = unique("target");
        var id = unique("transactional");
        try (var admin = Clients.admin()) {
            Clients.create(admin, source, 2);
            Clients.create(admin, target, 1);
            var old = transactional(id);
            isolation(old, target);
            copy(old, source, target);

            var current = transactional(id);
            fenced("the older producer is fenced", () -> {
                old.beginTransaction();
                old.send(new ProducerRecord<>(target, "zombie"));
                old.commitTransaction();
                return "committed";
            });
            current.beginTransaction();
            current.send(new ProducerRecord<>(target, "current"));
            current.commitTransaction();
            var values = read(target, "read_committed", COUNT + 6);
            holds("its write is invisible", !values.contains("zombie"), values);
            holds("the newer one's is there", values.contains("current"), values);

            var listed = admin.listTransactions().all().get();
            holds("listed", listed.stream().anyMatch(one -> one.transactionalId().equals(id)), listed);
            var described = admin.describeTransactions(List.of(id)).description(id).get();
            equal("described", described.state().toString(), "CompleteCommit");
        }
    }

    static void isolation(KafkaProducer<String, String> producer, String topic) {
        var committed = IntStream.range(0, 5).mapToObj(i -> "c" + i).toList();
        producer.beginTransaction();
        committed.forEach(value -> producer.send(new ProducerRecord<>(topic, value)));
        producer.commitTransaction();
        producer.beginTransaction();
        IntStream.range(0, 5).forEach(i -> producer.send(new ProducerRecord<>(topic, "a" + i)));
        producer.flush();
        producer.abortTransaction();
        equal("read_committed", read(topic, "read_committed", 5), committed);
        equal("read_uncommitted", read(topic, "read_uncommitted", 10).size(), 10);
    }

    /** Reads, writes and commits in transactions; aborts the third and does it again. */
    static void copy(KafkaProducer<String, String> producer, String source, String target) throws Exception {
        try (var plain = Clients.producer()) {
            for (int i = 0; i < COUNT; i++) plain.send(new ProducerRecord<>(source, i % 2, null, "" + i));
        }
        int[] done = {0, 0};
        try (var consumer = Clients.consumer(unique("copy"), "isolation.level", "read_committed", "max.poll.records", "7")) {
            consumer.subscribe(List.of(source));
            Check.until(60, () -> {
                var records = consumer.poll(Duration.ofMillis(500));
                if (records.isEmpty()) return false;
                producer.beginTransaction();
                var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
                for (var record : records) {
                    producer.send(new ProducerRecord<>(target, "x" + record.value()));
                    var next = new OffsetAndMetadata(record.offset() + 1);
                    offsets.put(new TopicPartition(record.topic(), record.partition()), next);
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (++done[1] == 3) {
                    producer.abortTransaction();
                    consumer.committed(consumer.assignment()).forEach((partition, offset) ->
                            consumer.seek(partition, offset == null ? 0 : offset.offset()));
                } else {
                    producer.commitTransaction();
                    done[0] += records.count();
                }
                return done[0] >= COUNT;
            });
        }
        var copies = read(target, "read_committed", COUNT + 5).stream().filter(one -> one.startsWith("x")).toList();
        equal("outputs", copies.size(), COUNT);
        equal("each input has one", new HashSet<>(copies).size(), COUNT);
    }
}
