package onrush.clients;

import static onrush.clients.Check.equal;
import static onrush.clients.Check.holds;
import static onrush.clients.Check.unique;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** A group of the protocol that the argument names (classic, consumer): join, commit, restart, share. */
public final class Groups {
    static final int COUNT = 600;

    public static void main(String[] arguments) {
        Check.run(() -> group(arguments[0]));
    }

    static void group(String protocol) throws Exception {
        var topic = unique("groups");
        var group = unique("group");
        var zero = new TopicPartition(topic, 0);
        try (var admin = Clients.admin(); var producer = Clients.producer()) {
            Clients.create(admin, topic, 3);
            for (int i = 0; i < COUNT; i++) producer.send(new ProducerRecord<>(topic, i % 3, null, "" + i));
            producer.flush();

            try (var one = Clients.consumer(group, "group.protocol", protocol)) {
                one.subscribe(List.of(topic));
                equal("a member reads all", Clients.take(one, COUNT).size(), COUNT);
                equal("it has all partitions", one.assignment().size(), 3);
                one.commitSync();
                equal("its commit", one.committed(Set.of(zero)).get(zero).offset(), COUNT / 3L);
            }

            try (var one = Clients.consumer(group, "group.protocol", protocol);
                    var two = Clients.consumer(group, "group.protocol", protocol)) {
                one.subscribe(List.of(topic));
                equal("nothing new after a restart", one.poll(Duration.ofSeconds(4)).count(), 0);
                two.subscribe(List.of(topic));
                var shared = Check.until(60, () -> {
                    var before = one.poll(Duration.ofMillis(200)).count() + two.poll(Duration.ofMillis(200)).count();
                    if (before > 0) throw new IllegalStateException("records from before the commit");
                    return one.assignment().size() + two.assignment().size() == 3
                            && !one.assignment().isEmpty() && !two.assignment().isEmpty();
                });
                holds("two members share", shared, one.assignment() + " " + two.assignment());
                for (int i = 0; i < 30; i++) producer.send(new ProducerRecord<>(topic, i % 3, null, "new"));
                producer.flush();
                int[] received = {0};
                Check.until(30, () -> {
                    received[0] += one.poll(Duration.ofMillis(200)).count() + two.poll(Duration.ofMillis(200)).count();
                    return received[0] >= 30;
                });
                equal("what is new comes once", received[0], 30);
            }
            admin.deleteTopics(List.of(topic)).all().get();
        }
    }
}
