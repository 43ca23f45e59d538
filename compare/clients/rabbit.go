package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/logs"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/message"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"
)

// RabbitMQ streams: batches of sub-entries for throughput, as its documentation advises; where latency
// counts, the library batches what is there.
var rabbitBroker = broker{
	produce: rabbitProduce,
	consume: rabbitConsume,
	paced:   rabbitPaced,
	alone:   rabbitAlone,
	first:   rabbitFirst,
	create: func(asked load) error {
		return rabbitManage(asked, func(environment *stream.Environment) error {
			return environment.DeclareStream(asked.topic, stream.NewStreamOptions())
		})
	},
	remove: func(asked load) error {
		return rabbitManage(asked, func(environment *stream.Environment) error {
			return environment.DeleteStream(asked.topic)
		})
	},
}

const (
	// Messages handed over at once, and messages that are one entry to the broker.
	rabbitBatch    = 4000
	rabbitSubEntry = 500
	// Messages that may await their confirmation.
	rabbitPending = 100_000
	rabbitCredits = 50
	// The library's default of 8 KiB makes a system call for every frame of a hundred messages.
	rabbitBuffer = 1 << 20
	// Producers that share a connection where there are very many.
	rabbitShared = 200
)

// unheard takes what the library logs: every try to connect, among others. What fails is told by who
// tried.
type unheard struct{}

func (unheard) Info(string, ...any)  {}
func (unheard) Error(string, ...any) {}
func (unheard) Debug(string, ...any) {}
func (unheard) Warn(string, ...any)  {}

func rabbitConnect(asked load, producers int) (*stream.Environment, error) {
	host, text, err := net.SplitHostPort(asked.address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	logs.SetLogger(unheard{})
	options := stream.NewEnvironmentOptions().SetHost(host).SetPort(port).
		SetUser("guest").SetPassword("guest").SetRPCTimeout(patience).
		SetWriteBuffer(rabbitBuffer).SetReadBuffer(rabbitBuffer).SetMaxProducersPerClient(producers)
	return stream.NewEnvironment(options)
}

func rabbitManage(asked load, manage func(*stream.Environment) error) error {
	environment, err := rabbitConnect(asked, 1)
	if err != nil {
		return err
	}
	defer environment.Close()
	return manage(environment)
}

func rabbitOptions() *stream.ProducerOptions {
	return stream.NewProducerOptions().SetQueueSize(rabbitPending).SetConfirmationTimeOut(patience)
}

// confirmed calls each for every message that is confirmed, on a goroutine of its own.
func confirmed(producer *stream.Producer, failed *failures, each func(*stream.ConfirmationStatus)) {
	confirmations := producer.NotifyPublishConfirmation()
	go func() {
		for batch := range confirmations {
			for _, one := range batch {
				if !one.IsConfirmed() {
					failed.note(fmt.Errorf("a message was not confirmed: %w", one.GetError()))
				}
				each(one)
			}
		}
	}()
}

func rabbitProduce(asked load) (result, error) {
	environment, err := rabbitConnect(asked, 1)
	if err != nil {
		return result{}, err
	}
	defer environment.Close()
	options := rabbitOptions().SetSubEntrySize(rabbitSubEntry).SetCompression(stream.Compression{}.None())
	producer, err := environment.NewProducer(asked.topic, options)
	if err != nil {
		return result{}, err
	}
	defer producer.Close()
	var failed failures
	arrived := newArrivals()
	confirmed(producer, &failed, func(*stream.ConfirmationStatus) { arrived.came() })
	sending := newValues(asked)
	began := time.Now()
	sent := 0
	for sent < asked.messages && time.Since(began) < asked.most {
		count := min(rabbitBatch, asked.messages-sent)
		batch := make([]message.StreamMessage, count)
		for at := range batch {
			batch[at] = amqp.NewMessage(sending.next())
		}
		if err := producer.BatchSend(batch); err != nil {
			return result{}, err
		}
		sent += count
	}
	arrived.expect(sent)
	if err := arrived.wait(); err != nil {
		return result{}, err
	}
	return done(sent, began), failed.any()
}

// rabbitFollow reads the stream from its start.
func rabbitFollow(environment *stream.Environment, topic string, each func([]byte)) (*stream.Consumer, error) {
	options := stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.First()).
		SetInitialCredits(rabbitCredits)
	return environment.NewConsumer(topic, func(_ stream.ConsumerContext, message *amqp.Message) {
		each(message.GetData())
	}, options)
}

func rabbitConsume(asked load) (result, error) {
	environment, err := rabbitConnect(asked, 1)
	if err != nil {
		return result{}, err
	}
	defer environment.Close()
	began := time.Now()
	all := make(chan struct{})
	seen := 0
	consumer, err := rabbitFollow(environment, asked.topic, func([]byte) {
		if seen++; seen == asked.messages {
			close(all)
		}
	})
	if err != nil {
		return result{}, err
	}
	defer consumer.Close()
	select {
	case <-all:
		return done(asked.messages, began), nil
	case <-time.After(patience):
		return result{}, fmt.Errorf("not all of %d messages came within %v", asked.messages, patience)
	}
}

func rabbitPaced(asked load) (result, error) {
	environment, err := rabbitConnect(asked, 1)
	if err != nil {
		return result{}, err
	}
	defer environment.Close()
	origin := time.Now()
	acks, ends := newLatency(origin, asked.warmup), newLatency(origin, asked.warmup)
	acknowledged, arrived := newArrivals(), newArrivals()
	consumer, err := rabbitFollow(environment, asked.topic, func(value []byte) {
		ends.came(dueOf(value))
		arrived.came()
	})
	if err != nil {
		return result{}, err
	}
	defer consumer.Close()
	producer, err := environment.NewProducer(asked.topic, rabbitOptions())
	if err != nil {
		return result{}, err
	}
	defer producer.Close()
	var failed failures
	confirmed(producer, &failed, func(one *stream.ConfirmationStatus) {
		acks.came(dueOf(one.GetMessage().GetData()[0]))
		acknowledged.came()
	})
	sending := newValues(asked)
	sent, err := pace(origin, asked, func(due time.Duration) error {
		return producer.Send(amqp.NewMessage(stamped(sending.next(), due)))
	})
	if err != nil {
		return result{}, err
	}
	told := done(sent, origin)
	for _, all := range []*arrivals{acknowledged, arrived} {
		all.expect(sent)
		if err := all.wait(); err != nil {
			return result{}, err
		}
	}
	told.Ack, told.EndToEnd = acks.percentiles(), ends.percentiles()
	return told, failed.any()
}

func rabbitAlone(asked load) (alone, error) {
	environment, err := rabbitConnect(asked, 1)
	if err != nil {
		return alone{}, err
	}
	producer, err := environment.NewProducer(asked.topic, rabbitOptions())
	if err != nil {
		return alone{}, err
	}
	var failed failures
	answers := make(chan struct{}, 1)
	confirmed(producer, &failed, func(*stream.ConfirmationStatus) { answers <- struct{}{} })
	send := func(value []byte) error {
		if err := producer.BatchSend([]message.StreamMessage{amqp.NewMessage(value)}); err != nil {
			return err
		}
		<-answers
		return failed.any()
	}
	return alone{send: send, close: func() {
		_ = producer.Close()
		_ = environment.Close()
	}}, nil
}

func rabbitFirst(asked load) error {
	environment, err := rabbitConnect(asked, rabbitShared)
	if err != nil {
		return err
	}
	defer environment.Close()
	var failed failures
	arrived := newArrivals()
	for _, name := range asked.names() {
		err := environment.DeclareStream(name, stream.NewStreamOptions())
		if err != nil && !errors.Is(err, stream.StreamAlreadyExists) {
			return err
		}
		producer, err := environment.NewProducer(name, rabbitOptions())
		if err != nil {
			return err
		}
		confirmed(producer, &failed, func(*stream.ConfirmationStatus) { arrived.came() })
		if err := producer.BatchSend([]message.StreamMessage{amqp.NewMessage([]byte("first"))}); err != nil {
			return err
		}
	}
	arrived.expect(asked.topics)
	if err := arrived.wait(); err != nil {
		return err
	}
	return failed.any()
}
