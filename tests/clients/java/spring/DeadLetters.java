package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.settings;
import static onrush.clients.Check.unique;
import static onrush.clients.Check.until;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.annotation.EnableKafka;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.support.Acknowledgment;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.util.backoff.FixedBackOff;

/** KafkaTemplate and KafkaListener with manual acknowledgement, two retries and a dead letter topic. */
public final class DeadLetters {
    public static final String TOPIC = unique("spring");
    public static final String DEAD = TOPIC + "-dlt";
    public static final String GROUP = unique("spring-group");

    static final Map<String, Integer> tries = new ConcurrentHashMap<>();
    static final List<String> handled = new CopyOnWriteArrayList<>();
    static final Map<String, ConsumerRecord<String, String>> dead = new ConcurrentHashMap<>();

    public static void main(String[] arguments) {
        Check.run(DeadLetters::main);
    }

    @Configuration
    @EnableKafka
    public static class Beans {
        @Bean
        public KafkaAdmin admin() {
            return new KafkaAdmin(settings());
        }

        @Bean
        public KafkaAdmin.NewTopics topics() {
            return new KafkaAdmin.NewTopics(
                    TopicBuilder.name(TOPIC).partitions(3).replicas(1).build(),
                    TopicBuilder.name(DEAD).partitions(3).replicas(1).build());
        }

        @Bean
        public ProducerFactory<String, String> producers() {
            return new DefaultKafkaProducerFactory<>(settings("acks", "all"), new StringSerializer(), new StringSerializer());
        }

        @Bean
        public KafkaTemplate<String, String> template(ProducerFactory<String, String> producers) {
            return new KafkaTemplate<>(producers);
        }

        @Bean
        public ConsumerFactory<String, String> consumers() {
            var all = settings("auto.offset.reset", "earliest", "enable.auto.commit", "false");
            return new DefaultKafkaConsumerFactory<>(all, new StringDeserializer(), new StringDeserializer());
        }

        @Bean
        public ConcurrentKafkaListenerContainerFactory<String, String> kafkaListenerContainerFactory(
                ConsumerFactory<String, String> consumers, KafkaTemplate<String, String> template) {
            var factory = new ConcurrentKafkaListenerContainerFactory<String, String>();
            factory.setConsumerFactory(consumers);
            factory.setConcurrency(3);
            factory.getContainerProperties().setAckMode(ContainerProperties.AckMode.MANUAL_IMMEDIATE);
            var recoverer = new DeadLetterPublishingRecoverer(template);
            factory.setCommonErrorHandler(new DefaultErrorHandler(recoverer, new FixedBackOff(100, 2)));
            return factory;
        }

        @Bean
        public Listeners listeners() {
            return new Listeners();
        }
    }

    /** Handles records: `poison` never, `flaky` at the third try, others at once. */
    public static class Listeners {
        @KafkaListener(id = "main", topics = "#{T(onrush.clients.DeadLetters).TOPIC}",
                groupId = "#{T(onrush.clients.DeadLetters).GROUP}")
        public void handle(ConsumerRecord<String, String> record, Acknowledgment acknowledgment) {
            var value = record.value();
            int tried = tries.merge(value, 1, Integer::sum);
            if (value.startsWith("poison") || value.startsWith("flaky") && tried < 3) {
                throw new IllegalStateException("cannot handle " + value);
            }
            handled.add(value);
            acknowledgment.acknowledge();
        }

        @KafkaListener(id = "dead", topics = "#{T(onrush.clients.DeadLetters).DEAD}",
                groupId = "#{T(onrush.clients.DeadLetters).GROUP}-dead")
        public void bury(ConsumerRecord<String, String> record, Acknowledgment acknowledgment) {
            dead.put(record.value(), record);
            acknowledgment.acknowledge();
        }
    }

    @SuppressWarnings("unchecked")
    static void main() throws Exception {
        try (var context = new AnnotationConfigApplicationContext(Beans.class)) {
            send((KafkaTemplate<String, String>) context.getBean("template"));
            until(60, () -> handled.size() >= 28 && dead.size() >= 2);
            equal("records handled", handled.size(), 28);
            equal("each once", Set.copyOf(handled).size(), 28);
            equal("tries of the flaky one", tries.get("flaky-11"), 3);
            equal("tries of a poisonous one", tries.get("poison-7"), 3);
            equal("dead letters", dead.keySet(), Set.of("poison-7", "poison-18"));
            var letter = dead.get("poison-7");
            equal("a dead letter's key", letter.key(), "k7");
            equal("its topic", header(letter, KafkaHeaders.DLT_ORIGINAL_TOPIC), TOPIC);
            equal("its own header", header(letter, "event-type"), "content.watched");
            var why = header(letter, KafkaHeaders.DLT_EXCEPTION_MESSAGE);
            holds("why it died", why.contains("cannot handle"), why);
            try (var admin = Admin.create(settings())) {
                holds("every offset is committed", until(10, () -> committed(admin) == 30), committed(admin));
                admin.deleteTopics(List.of(TOPIC, DEAD)).all().get();
            }
        }
    }

    static void send(KafkaTemplate<String, String> template) throws Exception {
        var first = template.send(TOPIC, "k", "ok-0").get(20, TimeUnit.SECONDS).getRecordMetadata();
        holds("what the template was told", first.hasOffset(), first);
        for (int i = 1; i < 30; i++) {
            var kind = i == 7 || i == 18 ? "poison-" : i == 11 ? "flaky-" : "ok-";
            var record = new ProducerRecord<>(TOPIC, "k" + i, kind + i);
            record.headers().add("event-type", "content.watched".getBytes(StandardCharsets.UTF_8));
            template.send(record);
        }
        template.flush();
    }

    static String header(ConsumerRecord<String, String> record, String name) {
        return new String(record.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    static long committed(Admin admin) throws Exception {
        var offsets = admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get();
        return offsets.values().stream().filter(Objects::nonNull).mapToLong(one -> one.offset()).sum();
    }
}
