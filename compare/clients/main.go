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
	// No more is sent after that time, however much is left.
	most time.Duration
}

// A broker is loaded in three ways, and forgets a topic.
type broker struct {
	// produce sends messages as fast as they are acknowledged.
	produce func(load) (result, error)
	// consume reads all messages of the topic.
	consume func(load) (result, error)
	// paced sends at a fixed rate and consumes at once.
	paced func(load) (result, error)
	// create makes the topic, remove takes it away.
	create, remove func(load) error
}

var brokers = map[string]broker{"nats": natsBroker, "redis": redisBroker}

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
	flags.DurationVar(&asked.most, "most", time.Hour, "send no more after that time")
	if len(os.Args) < 3 {
		return fmt.Errorf("say which broker (nats, redis) and what to do (create, produce, consume, paced, remove)")
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
	default:
		return fmt.Errorf("there is nothing to do called %q", os.Args[2])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(done)
}
