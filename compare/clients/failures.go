package main

import "sync"

// failures keeps the first of what went wrong in the background.
type failures struct {
	lock  sync.Mutex
	first error
}

func (f *failures) note(err error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.first == nil {
		f.first = err
	}
}

func (f *failures) any() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.first
}
