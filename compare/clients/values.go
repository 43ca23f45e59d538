package main

import "math/rand/v2"

// poolBytes is how much there is of what values consist of: more than the brokers that compress pack
// together, and little enough to stay in a core's cache.
const poolBytes = 64 << 10

// stride is how far one value begins behind the one before. It shares no factor with poolBytes, so
// that values begin everywhere before any comes again.
const stride = 4099

// values are messages that no compression makes smaller: a broker that packs alike messages would
// otherwise look as if it packed any.
type values struct {
	pool []byte
	size int
	at   int
}

func newValues(asked load) *values {
	pool := make([]byte, poolBytes+asked.size)
	// The same ones each time: runs differ by enough already.
	rand.NewChaCha8([32]byte{}).Read(pool)
	return &values{pool: pool, size: asked.size}
}

// next is another value, not to be written to.
func (v *values) next() []byte {
	value := v.pool[v.at : v.at+v.size : v.at+v.size]
	v.at = (v.at + stride) % poolBytes
	return value
}
