//go:build ignore

// Processor time of a process that does nothing, with 10,000 parked goroutines. Twin of bench/degu/idle.cc.
package main

import (
	"sync"
	"time"
)

func main() {
	const goroutines = 10_000
	gate := make(chan struct{})
	var up sync.WaitGroup
	up.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go func() {
			up.Done()
			<-gate
		}()
	}
	up.Wait()
	time.Sleep(time.Second)
	span := time.Duration(scaled(5000)) * time.Millisecond
	before := cpu()
	time.Sleep(span)
	report("idle_10k_parked_cpu", 100*float64(cpu()-before)/float64(span), "%")
}
