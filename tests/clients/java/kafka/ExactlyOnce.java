package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;

/**
 * A transactional copy job while the broker is killed with -9 again and again: one output for each input.
 *
 * <p>Two workers copy, an idempotent producer keeps the input coming. Kills hit whatever the workers happen to
 * be at, and what that was is counted. {@code ROUNDS} says how many; {@code ONRUSH_SEED} brings their moments back.
 */
public final class ExactlyOnce {
    static final String SOURCE = "source";
    static final String TARGET = "target";
    static final String GROUP = "copiers";
    static final int PARTITIONS = 4;

    public static void main(String[] arguments) {
        Check.run(ExactlyOnce::main);
    }

    static String setting(String name, Object otherwise) {
        var value = System.getenv(name);
        return value == null ? "" + otherwise : value;
    }

    static void main() throws Exception {
        var all = "all".equals(System.getenv("ONRUSH_TESTS"));
        int rounds = Integer.parseInt(setting("ROUNDS", all ? 50 : 6));
        long seed = Long.parseLong(setting("ONRUSH_SEED", new Random().nextInt(Integer.MAX_VALUE)));
        System.out.println("exactly once: ROUNDS=" + rounds + " ONRUSH_SEED=" + seed);
        var dice = new Random(seed);
        try (var broker = new Broker(); var admin = Admin.create(Check.settings(Copier.quickly(broker.kafka())))) {
            Clients.create(admin, SOURCE, PARTITIONS);
            Clients.create(admin, TARGET, PARTITIONS);
            var input = new Input(broker.kafka());
            var copiers = IntStream.of(1, 2)
                    .mapToObj(i -> new Copier(broker.kafka(), SOURCE, TARGET, GROUP, "copier-" + i)).toList();
            var met = new TreeMap<String, Integer>();
            for (int round = 1; round <= rounds; round++) {
                int before = copied(copiers);
                boolean goesOn = Check.until(60, () -> copied(copiers) > before);
                holds("round " + round + ": the job gets on", goesOn, stages(copiers));
                if (!goesOn) break;
                Thread.sleep(dice.nextInt(400));
                copiers.forEach(one -> met.merge(one.stage, 1, Integer::sum));
                broker.kill();
                broker.start();
            }
            long inputs = input.end();
            equal("every input is acknowledged", input.failed.get() + " failed, " + input.acknowledged,
                    "0 failed, " + inputs);
            holds("the job comes to the end of its input",
                    Check.until(120, () -> committed(admin) == inputs), stages(copiers));
            for (var one : copiers) one.end();
            System.out.printf("killed while the workers: %s; %d inputs, %d transactions aborted, %d workers anew%n",
                    met, inputs, copiers.stream().mapToInt(one -> one.aborted).sum(),
                    copiers.stream().mapToInt(one -> one.renewed).sum());
            judge(admin, broker.kafka(), inputs);
        }
    }

    /** Everything that was read, once, in order; and nothing open. */
    static void judge(Admin admin, String kafka, long inputs) throws Exception {
        equal("no transaction is left open", ends(admin, TARGET, IsolationLevel.READ_COMMITTED),
                ends(admin, TARGET, IsolationLevel.READ_UNCOMMITTED));
        var wanted = new TreeMap<Integer, List<String>>();
        for (int at = 0; at < PARTITIONS; at++) {
            int first = at;
            wanted.put(at, LongStream.range(0, inputs).filter(i -> i % PARTITIONS == first)
                    .mapToObj(i -> "" + i).toList());
        }
        holds("each input is there once, in order", read(admin, kafka, SOURCE).equals(wanted), "others");
        var outputs = read(admin, kafka, TARGET);
        var count = new HashMap<String, Integer>();
        outputs.values().forEach(values -> values.forEach(value -> count.merge(value, 1, Integer::sum)));
        var lost = LongStream.range(0, inputs).filter(i -> !count.containsKey(Copier.transform("" + i))).limit(9);
        equal("no input is without output", lost.boxed().toList(), List.of());
        var twice = count.entrySet().stream().filter(one -> one.getValue() > 1).limit(9).toList();
        equal("no input has two", twice, List.of());
        equal("there are no other outputs", (long) count.size(), inputs);
        wanted.replaceAll((at, values) -> values.stream().map(Copier::transform).toList());
        holds("outputs are in the order of the inputs", outputs.equals(wanted), "another order");
    }

    static int copied(List<Copier> copiers) {
        return copiers.stream().mapToInt(one -> one.copied).sum();
    }

    static List<String> stages(List<Copier> copiers) {
        return copiers.stream().map(one -> one.getName() + " " + one.stage).toList();
    }

    /** How many inputs the group has committed. */
    static long committed(Admin admin) throws Exception {
        var offsets = admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get();
        return offsets.values().stream().mapToLong(one -> one == null ? 0 : one.offset()).sum();
    }

    static Map<Integer, Long> ends(Admin admin, String topic, IsolationLevel isolation) throws Exception {
        var asked = new HashMap<TopicPartition, OffsetSpec>();
        for (int at = 0; at < PARTITIONS; at++) asked.put(new TopicPartition(topic, at), OffsetSpec.latest());
        var ends = new TreeMap<Integer, Long>();
        var told = admin.listOffsets(asked, new ListOffsetsOptions(isolation)).all().get();
        told.forEach((at, end) -> ends.put(at.partition(), end.offset()));
        return ends;
    }

    /** What is committed, by partition. */
    static Map<Integer, List<String>> read(Admin admin, String kafka, String topic) throws Exception {
        var ends = ends(admin, topic, IsolationLevel.READ_UNCOMMITTED);
        var found = new TreeMap<Integer, List<String>>();
        try (var consumer = Clients.consumer(null, Copier.quickly(kafka, "isolation.level", "read_committed"))) {
            var partitions = ends.keySet().stream().map(at -> new TopicPartition(topic, at)).toList();
            partitions.forEach(at -> found.put(at.partition(), new ArrayList<>()));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var toTheEnd = Check.until(60, () -> {
                consumer.poll(java.time.Duration.ofMillis(200))
                        .forEach(record -> found.get(record.partition()).add(record.value()));
                return partitions.stream().allMatch(at -> consumer.position(at) >= ends.get(at.partition()));
            });
            holds(topic + " is readable to its end", toTheEnd, ends);
        }
        return found;
    }

    /** Produces numbers, each once, until told to stop. */
    static final class Input extends Thread {
        private final String kafka;
        private volatile boolean ended;
        private long sent;
        final AtomicInteger acknowledged = new AtomicInteger();
        final AtomicInteger failed = new AtomicInteger();

        Input(String kafka) {
            this.kafka = kafka;
            setDaemon(true);
            start();
        }

        @Override
        public void run() {
            try (var producer = Clients.producer(Copier.quickly(kafka, "linger.ms", "5"))) {
                while (!ended) {
                    for (int i = 0; i < 8; i++, sent++) {
                        var record = new ProducerRecord<String, String>(SOURCE, (int) (sent % PARTITIONS), null, "" + sent);
                        producer.send(record, (told, error) -> (error == null ? acknowledged : failed).incrementAndGet());
                    }
                    // The pace of the input.
                    Thread.sleep(20);
                }
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }

        /** Ends once all is acknowledged; how many there are. */
        long end() throws InterruptedException {
            ended = true;
            join();
            return sent;
        }
    }
}
