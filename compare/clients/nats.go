package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStream: asynchronous publishing with many acknowledgements awaited, as its documentation advises
// for throughput.
var natsBroker = broker{
	produce: natsProduce,
	consume: natsConsume,
	paced:   natsPaced,
	alone:   natsAlone,
	first:   natsFirst,
	create:  natsCreate,
	remove:  natsRemove,
}

const natsPending = 16384

func natsConnect(asked load) (*nats.Conn, jetstream.JetStream, error) {
	connection, err := nats.Connect("nats://" + asked.address)
	if err != nil {
		return nil, nil, err
	}
	stream, err := jetstream.New(connection, jetstream.WithPublishAsyncMaxPending(natsPending))
	return connection, stream, err
}

func natsCreate(asked load) error {
	connection, stream, err := natsConnect(asked)
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = stream.CreateStream(context.Background(), jetstream.StreamConfig{
		Name: asked.topic, Subjects: []string{asked.topic}, Storage: jetstream.FileStorage,
	})
	return err
}

func natsRemove(asked load) error {
	connection, stream, err := natsConnect(asked)
	if err != nil {
		return err
	}
	defer connection.Close()
	return stream.DeleteStream(context.Background(), asked.topic)
}

func natsProduce(asked load) (result, error) {
	var failed failures
	connection, err := nats.Connect("nats://" + asked.address)
	if err != nil {
		return result{}, err
	}
	defer connection.Close()
	stream, err := jetstream.New(connection,
		jetstream.WithPublishAsyncMaxPending(natsPending),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			failed.note(err)
		}))
	if err != nil {
		return result{}, err
	}
	sending := newValues(asked)
	began := time.Now()
	sent := 0
	for sent < asked.messages && time.Since(began) < asked.most {
		sent++
		if _, err := stream.PublishAsync(asked.topic, sending.next(), jetstream.WithStallWait(patience)); err != nil {
			return result{}, err
		}
	}
	select {
	case <-stream.PublishAsyncComplete():
	case <-time.After(patience):
		return result{}, fmt.Errorf("no acknowledgement within %v", patience)
	}
	return done(sent, began), failed.any()
}

func natsConsume(asked load) (result, error) {
	connection, stream, err := natsConnect(asked)
	if err != nil {
		return result{}, err
	}
	defer connection.Close()
	consumer, err := stream.OrderedConsumer(context.Background(), asked.topic, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	all := make(chan struct{})
	seen := 0
	consuming, err := consumer.Consume(func(jetstream.Msg) {
		if seen++; seen == asked.messages {
			close(all)
		}
	}, jetstream.PullMaxMessages(10000))
	if err != nil {
		return result{}, err
	}
	defer consuming.Stop()
	select {
	case <-all:
		return done(asked.messages, began), nil
	case <-time.After(patience):
		return result{}, fmt.Errorf("not all of %d messages came within %v", asked.messages, patience)
	}
}

func natsPaced(asked load) (result, error) {
	connection, stream, err := natsConnect(asked)
	if err != nil {
		return result{}, err
	}
	defer connection.Close()
	reading, err := nats.Connect("nats://" + asked.address)
	if err != nil {
		return result{}, err
	}
	defer reading.Close()
	consuming, err := jetstream.New(reading)
	if err != nil {
		return result{}, err
	}
	consumer, err := consuming.OrderedConsumer(context.Background(), asked.topic, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return result{}, err
	}
	origin := time.Now()
	acks, ends := newLatency(origin, asked.warmup), newLatency(origin, asked.warmup)
	arrived := newArrivals()
	running, err := consumer.Consume(func(message jetstream.Msg) {
		ends.came(dueOf(message.Data()))
		arrived.came()
	}, jetstream.PullMaxMessages(10000))
	if err != nil {
		return result{}, err
	}
	defer running.Stop()

	type waiting struct {
		ack jetstream.PubAckFuture
		due time.Duration
	}
	awaited := make(chan waiting, natsPending)
	acknowledged := make(chan error, 1)
	go func() {
		for one := range awaited {
			select {
			case <-one.ack.Ok():
				acks.came(one.due)
			case err := <-one.ack.Err():
				acknowledged <- err
				return
			}
		}
		acknowledged <- nil
	}()
	sending := newValues(asked)
	sent, err := pace(origin, asked, func(due time.Duration) error {
		ack, err := stream.PublishAsync(asked.topic, stamped(sending.next(), due), jetstream.WithStallWait(patience))
		if err != nil {
			return err
		}
		select {
		case awaited <- waiting{ack, due}:
			return nil
		case err := <-acknowledged:
			return err
		}
	})
	close(awaited)
	if err != nil {
		return result{}, err
	}
	told := done(sent, origin)
	if err := <-acknowledged; err != nil {
		return result{}, err
	}
	arrived.expect(sent)
	if err := arrived.wait(); err != nil {
		return result{}, err
	}
	told.Ack, told.EndToEnd = acks.percentiles(), ends.percentiles()
	return told, nil
}

func natsAlone(asked load) (alone, error) {
	connection, stream, err := natsConnect(asked)
	if err != nil {
		return alone{}, err
	}
	return alone{
		send: func(value []byte) error {
			_, err := stream.Publish(context.Background(), asked.topic, value)
			return err
		},
		close: connection.Close,
	}, nil
}

func natsFirst(asked load) error {
	connection, stream, err := natsConnect(asked)
	if err != nil {
		return err
	}
	defer connection.Close()
	acks := make([]jetstream.PubAckFuture, 0, asked.topics)
	for _, name := range asked.names() {
		_, err := stream.CreateStream(context.Background(), jetstream.StreamConfig{
			Name: name, Subjects: []string{name}, Storage: jetstream.FileStorage,
		})
		if err != nil {
			return err
		}
		ack, err := stream.PublishAsync(name, []byte("first"))
		if err != nil {
			return err
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return err
		}
	}
	return nil
}
