package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis Streams: XADD in pipelines, XREAD in batches.
var redisBroker = broker{
	produce: redisProduce,
	consume: redisConsume,
	paced:   redisPaced,
	alone:   redisAlone,
	first:   redisFirst,
	// A stream begins with its first entry.
	create: func(load) error { return nil },
	remove: func(asked load) error {
		client := redisClient(asked)
		defer client.Close()
		if err := client.Del(context.Background(), asked.topic).Err(); err != nil {
			return err
		}
		// What was deleted stays in the append-only file until that is written anew. One that is
		// being written already is as good.
		_ = client.BgRewriteAOF(context.Background()).Err()
		return nil
	},
}

const (
	redisPipeline = 1000
	redisRead     = 1000
)

func redisClient(asked load) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: asked.address, ReadTimeout: patience, PoolSize: 1})
}

func redisProduce(asked load) (result, error) {
	client := redisClient(asked)
	defer client.Close()
	sending := newValues(asked)
	began := time.Now()
	sent := 0
	for sent < asked.messages && time.Since(began) < asked.most {
		pipeline := client.Pipeline()
		for range min(redisPipeline, asked.messages-sent) {
			pipeline.XAdd(context.Background(), &redis.XAddArgs{Stream: asked.topic, Values: []any{"v", sending.next()}})
			sent++
		}
		if _, err := pipeline.Exec(context.Background()); err != nil {
			return result{}, err
		}
	}
	return done(sent, began), nil
}

func redisConsume(asked load) (result, error) {
	client := redisClient(asked)
	defer client.Close()
	began := time.Now()
	last := "0"
	for seen := 0; seen < asked.messages; {
		read, err := client.XRead(context.Background(), &redis.XReadArgs{
			Streams: []string{asked.topic, last}, Count: redisRead, Block: patience,
		}).Result()
		if err != nil {
			return result{}, err
		}
		entries := read[0].Messages
		seen += len(entries)
		last = entries[len(entries)-1].ID
	}
	return done(asked.messages, began), nil
}

func redisPaced(asked load) (result, error) {
	origin := time.Now()
	acks, ends := newLatency(origin, asked.warmup), newLatency(origin, asked.warmup)
	arrived := newArrivals()
	following, stop := context.WithCancel(context.Background())
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- redisFollow(following, asked, ends, arrived) }()

	// One pipeline at a time, filled with what became due while the one before was under way.
	client := redisClient(asked)
	defer client.Close()
	sending := newValues(asked)
	due := make(chan time.Duration, 1<<20)
	produced := make(chan error, 1)
	go func() {
		for first := range due {
			pipeline := client.Pipeline()
			batch := []time.Duration{first}
			for len(batch) < redisPipeline && len(due) > 0 {
				batch = append(batch, <-due)
			}
			for _, one := range batch {
				values := []any{"v", stamped(sending.next(), one)}
				pipeline.XAdd(context.Background(), &redis.XAddArgs{Stream: asked.topic, Values: values})
			}
			if _, err := pipeline.Exec(context.Background()); err != nil {
				produced <- err
				return
			}
			for _, one := range batch {
				acks.came(one)
			}
		}
		produced <- nil
	}()
	sent, err := pace(origin, asked, func(at time.Duration) error {
		select {
		case due <- at:
			return nil
		case err := <-produced:
			return fmt.Errorf("producing ended early: %w", err)
		}
	})
	close(due)
	if err != nil {
		return result{}, err
	}
	if err := <-produced; err != nil {
		return result{}, err
	}
	told := done(sent, origin)
	arrived.expect(sent)
	go func() {
		if err := arrived.wait(); err != nil {
			failed <- err
			return
		}
		failed <- nil
	}()
	if err := <-failed; err != nil {
		return result{}, err
	}
	told.Ack, told.EndToEnd = acks.percentiles(), ends.percentiles()
	return told, nil
}

// redisFollow reads the stream from its start until it is told to stop, or something is wrong.
func redisFollow(following context.Context, asked load, ends *latency, arrived *arrivals) error {
	client := redisClient(asked)
	defer client.Close()
	last := "0"
	for {
		read, err := client.XRead(following, &redis.XReadArgs{
			Streams: []string{asked.topic, last}, Count: redisRead, Block: patience,
		}).Result()
		if err != nil {
			return err
		}
		for _, entry := range read[0].Messages {
			value, isText := entry.Values["v"].(string)
			if !isText {
				return fmt.Errorf("entry %s has no value", entry.ID)
			}
			ends.came(dueOf([]byte(value)))
			arrived.came()
			last = entry.ID
		}
	}
}

func redisAlone(asked load) (alone, error) {
	client := redisClient(asked)
	send := func(value []byte) error {
		return client.XAdd(context.Background(), &redis.XAddArgs{Stream: asked.topic, Values: []any{"v", value}}).Err()
	}
	return alone{send: send, close: func() { _ = client.Close() }}, client.Ping(context.Background()).Err()
}

func redisFirst(asked load) error {
	client := redisClient(asked)
	defer client.Close()
	pipeline := client.Pipeline()
	for _, name := range asked.names() {
		pipeline.XAdd(context.Background(), &redis.XAddArgs{Stream: name, Values: []any{"v", "first"}})
	}
	_, err := pipeline.Exec(context.Background())
	return err
}
