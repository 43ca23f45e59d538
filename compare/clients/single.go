package main

import (
	"fmt"
	"sync"
	"time"
)

// An alone is a connection that sends one message and awaits its acknowledgement.
type alone struct {
	send  func(value []byte) error
	close func()
}

// single keeps one message under way on each of many connections until the time is up.
func single(asked load, connect func(load) (alone, error)) (result, error) {
	senders := make([]alone, 0, asked.connections)
	defer func() {
		for _, one := range senders {
			one.close()
		}
	}()
	for range asked.connections {
		one, err := connect(asked)
		if err != nil {
			return result{}, err
		}
		senders = append(senders, one)
	}
	origin := time.Now()
	acks := newLatency(origin, 0)
	var failed failures
	var lock sync.Mutex
	var all sync.WaitGroup
	sent := 0
	for _, one := range senders {
		all.Go(func() {
			sending := newValues(asked)
			own := 0
			for time.Since(origin) < asked.most {
				due := time.Since(origin)
				if err := one.send(sending.next()); err != nil {
					failed.note(err)
					break
				}
				acks.came(due)
				own++
			}
			lock.Lock()
			defer lock.Unlock()
			sent += own
		})
	}
	all.Wait()
	told := done(sent, origin)
	told.Ack = acks.percentiles()
	return told, failed.any()
}

// How often a broker that may not be up yet is tried, and for how long.
const (
	firstEvery    = time.Millisecond
	firstPatience = time.Minute
)

// first tries until every topic has taken a message.
func first(asked load, try func(load) error) error {
	began := time.Now()
	for {
		err := try(asked)
		if err == nil {
			return nil
		}
		if time.Since(began) > firstPatience {
			return fmt.Errorf("nothing was acknowledged within %v: %w", firstPatience, err)
		}
		time.Sleep(firstEvery)
	}
}

// names are those of the topics that get a first message.
func (l load) names() []string {
	names := make([]string, l.topics)
	for number := range names {
		names[number] = fmt.Sprintf("%s-%d", l.topic, number)
	}
	return names
}
