// Franz drives franz-go: produce and consume, groups of both protocols, transactions, administration.
package main

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"onrush.dev/tests/clients/check"
)

const count = 3000

var ctx = context.Background()

func main() {
	check.Run(map[string]func(){
		"produce-consume": produceConsume,
		"groups":          groups,
		"transactions":    transactions,
		"admin":           admin,
	})
}

func client(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(check.Kafka)}, options...)...)
	if err != nil {
		check.Succeeds("a client is made", err)
	}
	return client
}

// fromStart begins where the topic begins.
func fromStart() kgo.Opt { return kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()) }

// create makes topics of three partitions.
func create(topics ...string) *kadm.Client {
	admin := kadm.NewClient(client())
	_, err := admin.CreateTopics(ctx, 3, 1, nil, topics...)
	check.Succeeds("topics are created", err)
	return admin
}

// fill produces the numbers below count, each with a key and a header.
func fill(topic string) {
	producer := client()
	defer producer.Close()
	failures := 0
	for i := range count {
		record := &kgo.Record{
			Topic:   topic,
			Key:     []byte("k" + strconv.Itoa(i%50)),
			Value:   []byte(strconv.Itoa(i)),
			Headers: []kgo.RecordHeader{{Key: "header", Value: []byte{0, 1}}},
		}
		producer.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				failures++
			}
		})
	}
	check.Succeeds("all is flushed", producer.Flush(ctx))
	check.Equal("failed records", failures, 0)
}

// take polls until it has that many records, or for half a minute.
func take(consumer *kgo.Client, wanted int) (records []*kgo.Record) {
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for len(records) < wanted {
		fetches := consumer.PollFetches(limited)
		if limited.Err() != nil {
			return records
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			check.Holds("a fetch", false, topic, partition, err)
		})
		records = append(records, fetches.Records()...)
	}
	return records
}

// numbersOnce counts the numbers that came exactly once.
func numbersOnce(records []*kgo.Record) int {
	times := map[string]int{}
	for _, record := range records {
		times[string(record.Value)]++
	}
	once := 0
	for _, n := range times {
		if n == 1 {
			once++
		}
	}
	return once
}
