package onrush.clients;

import static onrush.clients.Check.KAFKA;
import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.settings;
import static onrush.clients.Check.unique;
import static onrush.clients.Check.until;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A Flink job in this process: counts events per key in event-time windows of ten seconds, with
 * checkpoints, from topic to topic. The argument is the sink's guarantee.
 */
public final class Windows {
    static final int COUNT = 2000;
    static final long WINDOW_MS = 10_000;
    static final long BEGIN_MS = System.currentTimeMillis() / WINDOW_MS * WINDOW_MS - 3_600_000;

    static final String IN = unique("flink-in");
    static final String OUT = unique("flink-out");
    static final String GROUP = unique("flink-group");
    static final String TRANSACTIONS = unique("flink-transactions");

    public static void main(String[] arguments) {
        Check.run(() -> main(DeliveryGuarantee.valueOf(arguments[0])));
    }

    static void main(DeliveryGuarantee guarantee) throws Exception {
        try (var admin = Admin.create(settings())) {
            var topics = List.of(new NewTopic(IN, 2, (short) 1), new NewTopic(OUT, 1, (short) 1));
            admin.createTopics(topics).all().get();
            var wanted = fill();
            var job = start(guarantee);
            equal("every window's count, once", read(wanted.size()), wanted);
            // The two events that end the windows are committed as well.
            holds("checkpoints commit offsets", until(20, () -> committed(admin) == COUNT + 2), committed(admin));
            if (guarantee == DeliveryGuarantee.EXACTLY_ONCE) {
                var listed = admin.listTransactions().all().get();
                var ours = listed.stream().anyMatch(one -> one.transactionalId().startsWith(TRANSACTIONS));
                holds("it used transactions", ours, listed);
            }
            job.cancel().get();
            admin.deleteTopics(List.of(IN, OUT)).all().get();
        }
    }

    /** Writes events up to four seconds late; each window's line as the job should write it. */
    static List<String> fill() {
        var random = new Random(7);
        var counts = new TreeMap<String, Integer>();
        try (var producer = new KafkaProducer<>(settings(), new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < COUNT; i++) {
                long time = Math.max(BEGIN_MS, BEGIN_MS + i * 50L - random.nextInt(4000));
                var key = "content" + i % 5;
                counts.merge(key + "@" + time / WINDOW_MS * WINDOW_MS, 1, Integer::sum);
                producer.send(new ProducerRecord<>(IN, i % 2, key, key + "," + time));
            }
            // Moves both partitions' watermark past the last window.
            for (int i = 0; i < 2; i++) {
                producer.send(new ProducerRecord<>(IN, i, "end", "end," + (BEGIN_MS + 1_000_000)));
            }
        }
        return counts.entrySet().stream().map(one -> one.getKey() + "=" + one.getValue()).sorted().toList();
    }

    static JobClient start(DeliveryGuarantee guarantee) throws Exception {
        var configuration = new Configuration();
        // A failure is a finding, not something to recover from.
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        var flink = StreamExecutionEnvironment.createLocalEnvironment(2, configuration);
        flink.enableCheckpointing(500);
        var source = KafkaSource.<String>builder()
                .setBootstrapServers(KAFKA)
                .setTopics(IN)
                .setGroupId(GROUP)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setValueOnlyDeserializer(new SimpleStringSchema())
                .setProperty("partition.discovery.interval.ms", "1000")
                .build();
        var records = KafkaRecordSerializationSchema.builder()
                .setTopic(OUT)
                .setValueSerializationSchema(new SimpleStringSchema())
                .build();
        var sink = KafkaSink.<String>builder()
                .setBootstrapServers(KAFKA)
                .setRecordSerializer(records)
                .setDeliveryGuarantee(guarantee);
        if (guarantee == DeliveryGuarantee.EXACTLY_ONCE) {
            sink.setTransactionalIdPrefix(TRANSACTIONS).setProperty("transaction.timeout.ms", "60000");
        }
        var late = WatermarkStrategy.<String>forBoundedOutOfOrderness(Duration.ofSeconds(5))
                .withTimestampAssigner((event, time) -> Long.parseLong(event.split(",")[1]));
        flink.fromSource(source, late, "events")
                .keyBy(event -> event.split(",")[0])
                .window(TumblingEventTimeWindows.of(Duration.ofMillis(WINDOW_MS)))
                .aggregate(new Count(), new Line())
                .sinkTo(sink.build());
        return flink.executeAsync("windows");
    }

    /** What committed readers see, sorted. */
    static List<String> read(int wanted) {
        var all = settings("group.id", unique("reader"), "auto.offset.reset", "earliest",
                "isolation.level", "read_committed");
        var lines = new ArrayList<String>();
        try (var consumer = new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(OUT));
            until(90, () -> {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> lines.add(record.value()));
                return lines.size() >= wanted;
            });
        }
        return lines.stream().sorted().toList();
    }

    static long committed(Admin admin) throws Exception {
        var offsets = admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get();
        return offsets.values().stream().filter(Objects::nonNull).mapToLong(one -> one.offset()).sum();
    }

    /** Counts. */
    public static class Count implements AggregateFunction<String, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(String event, Long count) {
            return count + 1;
        }

        @Override
        public Long getResult(Long count) {
            return count;
        }

        @Override
        public Long merge(Long one, Long other) {
            return one + other;
        }
    }

    /** A window's line: its key, its begin and its count. */
    public static class Line extends ProcessWindowFunction<Long, String, String, TimeWindow> {
        @Override
        public void process(String key, Context context, Iterable<Long> counts, Collector<String> out) {
            out.collect(key + "@" + context.window().getStart() + "=" + counts.iterator().next());
        }
    }
}
