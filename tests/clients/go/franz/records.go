package main

import (
	"bytes"
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"onrush.dev/tests/clients/check"
)

func produceConsume() {
	check.Succeeds("ping", client().Ping(ctx))
	topic := check.Unique("franz")
	admin := create(topic)
	fill(topic)
	ends, err := admin.ListEndOffsets(ctx, topic)
	check.Succeeds("end offsets", err)
	var sum int64
	ends.Each(func(end kadm.ListedOffset) { sum += end.Offset })
	check.Equal("they add up", sum, int64(count))

	consumer := client(kgo.ConsumeTopics(topic), fromStart())
	records := take(consumer, count)
	check.Equal("each record once", numbersOnce(records), count)
	intact := true
	for _, record := range records {
		headers := record.Headers
		intact = intact && len(headers) == 1 && headers[0].Key == "header" &&
			bytes.Equal(headers[0].Value, []byte{0, 1}) && record.Key[0] == 'k'
	}
	check.Holds("keys and headers are intact", intact)
	consumer.Close()
}

func groups() {
	topic := check.Unique("franz-groups")
	admin := create(topic)
	fill(topic)
	group(admin, topic, "classic", ctx)
	// What opts franz-go in to the new protocol.
	group(admin, topic, "new", context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true))
}

// group reads everything, commits half of it, and reads the other half again as another member.
func group(admin *kadm.Client, topic, protocol string, ctx context.Context) {
	name := check.Unique("franz-" + protocol)
	member := func() *kgo.Client {
		return client(kgo.WithContext(ctx), kgo.ConsumerGroup(name), kgo.ConsumeTopics(topic),
			kgo.DisableAutoCommit(), fromStart())
	}
	one := member()
	records := take(one, count)
	check.Equal(protocol+": each record once", numbersOnce(records), count)
	check.Succeeds(protocol+": half is committed", one.CommitRecords(ctx, records[:count/2]...))
	described, err := admin.DescribeGroups(ctx, name)
	if protocol == "classic" {
		check.Holds(protocol+": described", err == nil && described[name].State == "Stable", err, described)
	}
	one.Close()

	two := member()
	rest := take(two, count/2)
	check.Equal(protocol+": the rest comes again", len(rest), count/2)
	two.Close()

	offsets, err := admin.FetchOffsets(ctx, name)
	check.Succeeds(protocol+": offsets", err)
	var sum int64
	offsets.Each(func(offset kadm.OffsetResponse) { sum += max(offset.At, 0) })
	check.Equal(protocol+": half is committed still", sum, int64(count/2))
}

func transactions() {
	source, target := check.Unique("franz-source"), check.Unique("franz-target")
	create(source, target)
	fill(source)
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(check.Kafka),
		kgo.TransactionalID(check.Unique("franz-transactional")),
		kgo.ConsumerGroup(check.Unique("franz-copy")),
		kgo.ConsumeTopics(source),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		fromStart(),
	)
	check.Succeeds("a session", err)
	for copied, round := 0, 1; copied < count; round++ {
		limited, cancel := context.WithTimeout(ctx, 30*time.Second)
		fetches := session.PollRecords(limited, 500)
		cancel()
		if limited.Err() == context.DeadlineExceeded {
			break
		}
		if err := session.Begin(); err != nil {
			check.Succeeds("begin", err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(ctx, &kgo.Record{Topic: target, Value: record.Value}, nil)
		})
		// The second is aborted, and done again.
		committed, err := session.End(ctx, kgo.TransactionEndTry(round != 2))
		if err != nil {
			check.Succeeds("end", err)
		}
		if committed {
			copied += fetches.NumRecords()
		}
	}
	session.Close()

	reader := client(kgo.ConsumeTopics(target), kgo.FetchIsolationLevel(kgo.ReadCommitted()), fromStart())
	check.Equal("each input has one output", numbersOnce(take(reader, count)), count)
	reader.Close()
}
