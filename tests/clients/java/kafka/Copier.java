package onrush.clients;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ApplicationRecoverableException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.TimeoutException;

/** A worker that reads, transforms, writes and commits its offsets, each batch in one transaction. */
final class Copier extends Thread {
    /** Batches of so many records at most. */
    private static final int BATCH = 25;

    private final String kafka;
    private final String source;
    private final String target;
    private final String group;
    private volatile boolean ended;
    /** What it is at. */
    volatile String stage = "starts";
    volatile int copied;
    volatile int aborted;
    volatile int renewed;

    Copier(String kafka, String source, String target, String group, String name) {
        super(name);
        this.kafka = kafka;
        this.source = source;
        this.target = target;
        this.group = group;
        setDaemon(true);
        start();
    }

    /** What becomes of an input. */
    static String transform(String value) {
        return "" + 3 * Long.parseLong(value);
    }

    void end() throws InterruptedException {
        ended = true;
        join(60_000);
    }

    @Override
    public void run() {
        while (!ended) {
            stage = "starts";
            var producer = Clients.producer(quick("transactional.id", getName(), "transaction.timeout.ms", "30000",
                    "linger.ms", "2", "max.block.ms", "10000"));
            var consumer = Clients.consumer(group, quick("isolation.level", "read_committed", "client.id", getName(),
                    "session.timeout.ms", "10000", "heartbeat.interval.ms", "500", "max.poll.records", "" + BATCH));
            try {
                patiently(producer::initTransactions);
                consumer.subscribe(List.of(source));
                while (!ended) copy(producer, consumer);
            } catch (KafkaException error) {
                // Both anew, from what is committed: nothing else is known for sure.
                System.out.println(getName() + " begins anew: " + error);
                renewed++;
            } finally {
                producer.close(Duration.ofSeconds(5));
                consumer.close();
            }
        }
    }

    private void copy(KafkaProducer<String, String> producer, KafkaConsumer<String, String> consumer) {
        stage = "reads";
        var records = consumer.poll(Duration.ofMillis(200));
        if (records.isEmpty()) return;
        var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
        try {
            producer.beginTransaction();
            stage = "writes";
            for (var record : records) {
                var value = transform(record.value());
                producer.send(new ProducerRecord<>(target, record.partition(), null, value));
                var at = new TopicPartition(source, record.partition());
                offsets.put(at, new OffsetAndMetadata(record.offset() + 1));
            }
            stage = "adds offsets";
            patiently(() -> producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata()));
            stage = "commits";
            patiently(producer::commitTransaction);
            copied += records.count();
        } catch (ApplicationRecoverableException | OutOfOrderSequenceException error) {
            throw error;
        } catch (KafkaException error) {
            stage = "aborts";
            aborted++;
            patiently(producer::abortTransaction);
            var committed = new HashMap<TopicPartition, OffsetAndMetadata>();
            patiently(() -> committed.putAll(consumer.committed(consumer.assignment())));
            for (var at : consumer.assignment()) {
                var offset = committed.get(at);
                consumer.seek(at, offset == null ? 0 : offset.offset());
            }
        }
    }

    /** Calls until it is not for want of time that it fails. */
    private void patiently(Runnable call) {
        while (true) {
            try {
                call.run();
                return;
            } catch (TimeoutException error) {
                if (ended) throw error;
            }
        }
    }

    /** Settings of a client that soon finds a broker again. */
    private Object[] quick(Object... more) {
        return quickly(kafka, more);
    }

    static Object[] quickly(String kafka, Object... more) {
        var quick = new HashMap<Object, Object>(Map.of("bootstrap.servers", kafka,
                "reconnect.backoff.ms", "20", "reconnect.backoff.max.ms", "200",
                "retry.backoff.ms", "20", "retry.backoff.max.ms", "200"));
        for (int i = 0; i < more.length; i += 2) quick.put(more[i], more[i + 1]);
        return quick.entrySet().stream().flatMap(one -> List.of(one.getKey(), one.getValue()).stream()).toArray();
    }
}
