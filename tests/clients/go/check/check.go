// Package check is what the Go cases share: where the broker is, and checks that say what they found.
package check

import (
	"fmt"
	"os"
	"reflect"
	"time"
)

// Kafka is the address of the broker.
var Kafka = os.Getenv("KAFKA")

var passed, failed int

// Unique is a name that no other case and no earlier run has used.
func Unique(base string) string { return fmt.Sprintf("%s-%x", base, time.Now().UnixNano()) }

// Holds is one check.
func Holds(what string, holds bool, found ...any) bool {
	if holds {
		passed++
		fmt.Println("PASS", what)
	} else {
		failed++
		fmt.Printf("FAIL %s: found %v\n", what, found)
	}
	return holds
}

// Equal checks that two values are the same.
func Equal(what string, found, wanted any) bool {
	if reflect.DeepEqual(found, wanted) {
		return Holds(what, true)
	}
	return Holds(what, false, fmt.Sprintf("%v, wanted %v", found, wanted))
}

// Succeeds checks that there is no error, and ends the case where there is one.
func Succeeds(what string, err error) {
	if !Holds(what, err == nil, err) {
		Finish()
	}
}

// Until waits until a condition holds; whether it came to.
func Until(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return condition()
}

// Finish ends the process with the verdict.
func Finish() {
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if passed == 0 || failed > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

// Run runs the case that the command line names.
func Run(cases map[string]func()) {
	if len(os.Args) != 2 || cases[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "name one of the cases:", reflect.ValueOf(cases).MapKeys())
		os.Exit(2)
	}
	cases[os.Args[1]]()
	Finish()
}
