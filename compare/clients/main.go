// Command race loads brokers that speak neither Kafka's protocol nor Onrush's, through the client
// library of each, and prints one JSON object: what it did, and how long that took.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

// A load is what one run does.
type load struct {
	address  string
	topic    string
	messages int
	size     int
	rate     int
	warmup   time.Duration
	// Connections that each send one message a request.
	connections int
	// Topics that are made, each with a message in it.
	topics int
	// No more is sent after that time, however much is left.
	most time.Duration
}

// A broker is loaded in some ways, and forgets a topic.
type broker struct {
	// produce sends messages as fast as they are acknowledged.
	produce func(load) (result, error)
	// consume reads all messages of the topic.
	consume func(load) (result, error)
	// paced sends at a fixed rate and consumes at once.
	paced func(load) (result, error)
	// alone connects, for one of many that each await an answer before they send again.
	alone func(load) (alone, error)
	// first makes topics where they are missing and sends a message to each; it fails while the
	// broker is not ready.
	first func(load) error
	// create makes the topic, remove takes it away.
	create, remove func(load) error
}

var brokers = map[string]broker{"nats": natsBroker, "rabbit": rabbitBroker, "redis": redisBroker}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "race:", err)
		os.Exit(1)
	}
}

func run() error {
	var asked load
	flags := flag.NewFlagSet("race BROKER ACTION", flag.ExitOnError)
	flags.StringVar(&asked.address, "address", "", "host and port of the broker")
	flags.StringVar(&asked.topic, "topic", "race", "stream to use")
	flags.IntVar(&asked.messages, "messages", 100000, "how many messages")
	flags.IntVar(&asked.size, "size", 100, "bytes of a value, at least 8")
	flags.IntVar(&asked.rate, "rate", 50000, "messages a second, where the rate is fixed")
	flags.DurationVar(&asked.warmup, "warmup", 2*time.Second, "how long latency does not count at first")
	flags.IntVar(&asked.connections, "connections", 64, "how many send one message a request")
	flags.IntVar(&asked.topics, "topics", 1, "how many topics get a first message")
	flags.DurationVar(&asked.most, "most", time.Hour, "send no more after that time")
	if len(os.Args) < 3 {
		return fmt.Errorf("say which broker (nats, rabbit, redis) and what to do (create, produce, consume, paced, single, first, remove)")
	}
	if err := flags.Parse(os.Args[3:]); err != nil {
		return err
	}
	chosen, known := brokers[os.Args[1]]
	if !known {
		return fmt.Errorf("there is no broker %q", os.Args[1])
	}
	if asked.size < 8 || asked.messages < 1 || asked.rate < 1 {
		return fmt.Errorf("a value has 8 bytes at least, and there is one message at least")
	}
	var done result
	var err error
	switch os.Args[2] {
	case "create":
		return chosen.create(asked)
	case "remove":
		return chosen.remove(asked)
	case "produce":
		done, err = chosen.produce(asked)
	case "consume":
		done, err = chosen.consume(asked)
	case "paced":
		done, err = chosen.paced(asked)
	case "single":
		done, err = single(asked, chosen.alone)
	case "first":
		return first(asked, chosen.first)
	default:
		return fmt.Errorf("there is nothing to do called %q", os.Args[2])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(done)
}
