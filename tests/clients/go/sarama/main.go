// Sarama drives IBM's client: producers, partition and group consumers, administration, transactions.
package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"onrush.dev/tests/clients/check"
)

const count = 900

func main() {
	check.Run(map[string]func(){"everyday": everyday, "transactions": transactions})
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	return config
}

func brokers() []string { return []string{check.Kafka} }

func everyday() {
	admin, err := sarama.NewClusterAdmin(brokers(), config())
	check.Succeeds("an admin", err)
	topic, group := check.Unique("sarama"), check.Unique("sarama-group")
	check.Succeeds("create", admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false))

	idempotent := config()
	idempotent.Producer.Idempotent = true
	idempotent.Producer.Compression = sarama.CompressionZSTD
	idempotent.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer(brokers(), idempotent)
	check.Succeeds("a producer", err)
	messages := make([]*sarama.ProducerMessage, count)
	for i := range messages {
		messages[i] = &sarama.ProducerMessage{
			Topic: topic,
			Key:   sarama.StringEncoder("k" + strconv.Itoa(i)),
			Value: sarama.StringEncoder(strconv.Itoa(i)),
		}
	}
	check.Succeeds("messages are sent", producer.SendMessages(messages))
	check.Succeeds("the producer closes", producer.Close())

	seen := consumeGroup(topic, group)
	check.Equal("a group sees each", len(seen), count)
	offsets, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2}})
	check.Succeeds("its offsets", err)
	var sum int64
	for partition := range int32(3) {
		sum += offsets.GetBlock(topic, partition).Offset
	}
	check.Equal("they add up", sum, int64(count))
	described, err := admin.DescribeConsumerGroups([]string{group})
	check.Holds("it is described", err == nil && described[0].State == "Empty", err, described)
	check.Succeeds("delete", admin.DeleteTopic(topic))
}

// member marks and commits all that it sees.
type member struct {
	lock sync.Mutex
	seen map[string]bool
	done context.CancelFunc
}

func (*member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.lock.Lock()
		m.seen[string(message.Value)] = true
		all := len(m.seen) == count
		m.lock.Unlock()
		session.MarkMessage(message, "")
		if all {
			m.done()
		}
	}
	session.Commit()
	return nil
}

func consumeGroup(topic, name string) map[string]bool {
	group, err := sarama.NewConsumerGroup(brokers(), name, config())
	check.Succeeds("a group", err)
	ctx, done := context.WithTimeout(context.Background(), 40*time.Second)
	m := &member{seen: map[string]bool{}, done: done}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{topic}, m); err != nil {
			check.Succeeds("a session of the group", err)
		}
	}
	check.Succeeds("the group closes", group.Close())
	return m.seen
}

func transactions() {
	admin, err := sarama.NewClusterAdmin(brokers(), config())
	check.Succeeds("an admin", err)
	topic := check.Unique("sarama-transactions")
	check.Succeeds("create", admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))

	transactional := config()
	transactional.Producer.Idempotent = true
	transactional.Producer.Transaction.ID = check.Unique("sarama-transactional")
	transactional.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer(brokers(), transactional)
	check.Succeeds("a transactional producer", err)
	for _, values := range [][]string{{"c0", "c1"}, {"aborted"}, {"c2"}} {
		check.Succeeds("begin", producer.BeginTxn())
		for _, value := range values {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
			check.Succeeds("send "+value, err)
		}
		if values[0] == "aborted" {
			check.Succeeds("abort", producer.AbortTxn())
		} else {
			check.Succeeds("commit", producer.CommitTxn())
		}
	}
	check.Succeeds("the producer closes", producer.Close())

	committed := config()
	committed.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(brokers(), committed)
	check.Succeeds("a consumer", err)
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	check.Succeeds("a partition's consumer", err)
	values := []string{}
	for timeout := time.After(20 * time.Second); len(values) < 3; {
		select {
		case message := <-partition.Messages():
			values = append(values, string(message.Value))
			continue
		case <-timeout:
		}
		break
	}
	check.Equal("read committed", values, []string{"c0", "c1", "c2"})
}
