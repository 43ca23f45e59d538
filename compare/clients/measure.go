package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// How long to wait for a broker that owes an answer.
const patience = 120 * time.Second

// What is printed; the names are those of onrush-loadgen.
type result struct {
	Messages  int         `json:"messages"`
	PerSecond float64     `json:"per_second"`
	Ack       percentiles `json:"ack_latency_us"`
	EndToEnd  percentiles `json:"end_to_end_latency_us"`
}

type percentiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

// done is the result of so many messages since then.
func done(messages int, began time.Time) result {
	return result{Messages: messages, PerSecond: float64(messages) / time.Since(began).Seconds()}
}

// latency gathers how late things came, counted from when a message was due.
type latency struct {
	lock   sync.Mutex
	nanos  *hdrhistogram.Histogram
	origin time.Time
	// Messages due before this are not counted.
	from time.Duration
}

func newLatency(origin time.Time, from time.Duration) *latency {
	nanos := hdrhistogram.New(1, int64(100*time.Second), 3)
	return &latency{nanos: nanos, origin: origin, from: from}
}

// came says that a message due at that time, counted from the origin, came now.
func (l *latency) came(due time.Duration) {
	if due < l.from {
		return
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	// Beyond the bounds it counts as the most that there is.
	if l.nanos.RecordValue(int64(time.Since(l.origin)-due)) != nil {
		_ = l.nanos.RecordValue(l.nanos.HighestTrackableValue())
	}
}

func (l *latency) percentiles() percentiles {
	l.lock.Lock()
	defer l.lock.Unlock()
	at := func(quantile float64) float64 { return float64(l.nanos.ValueAtQuantile(quantile)) / 1e3 }
	return percentiles{P50: at(50), P99: at(99), P999: at(99.9)}
}

// pace calls send for each message when it is due, which is told from the origin: at once for all
// that are due already. It ends early when the load's time is up, and tells how many it sent.
func pace(origin time.Time, asked load, send func(due time.Duration) error) (int, error) {
	every := float64(time.Second) / float64(asked.rate)
	for number := range asked.messages {
		due := time.Duration(float64(number) * every)
		for time.Since(origin) < due {
			runtime.Gosched()
		}
		if time.Since(origin) > asked.most {
			return number, nil
		}
		if err := send(due); err != nil {
			return number, err
		}
	}
	return asked.messages, nil
}

// arrivals counts what comes back until it is as much as was sent.
type arrivals struct {
	lock sync.Mutex
	seen int
	// How many there will be; -1 while that is not known.
	sent int
	all  chan struct{}
}

func newArrivals() *arrivals {
	return &arrivals{sent: -1, all: make(chan struct{})}
}

func (a *arrivals) came() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.seen++
	a.check()
}

// expect says how many there are; once.
func (a *arrivals) expect(sent int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.sent = sent
	a.check()
}

func (a *arrivals) check() {
	if a.seen == a.sent {
		close(a.all)
	}
}

// wait waits for all of them.
func (a *arrivals) wait() error {
	select {
	case <-a.all:
		return nil
	case <-time.After(patience):
		a.lock.Lock()
		defer a.lock.Unlock()
		return fmt.Errorf("%d of %d messages came back within %v", a.seen, a.sent, patience)
	}
}

// stamped is a value that tells when it was due.
func stamped(value []byte, due time.Duration) []byte {
	copied := make([]byte, len(value))
	copy(copied, value)
	binary.LittleEndian.PutUint64(copied, uint64(due))
	return copied
}

// dueOf is what a value tells.
func dueOf(value []byte) time.Duration {
	return time.Duration(binary.LittleEndian.Uint64(value))
}
