//go:build ignore

// sync.Mutex, uncontended and contended by 8 goroutines. Twin of bench/degu/mutex.cc.
package main

import (
	"sync"
	"time"
)

var counter int

func uncontended() {
	var mu sync.Mutex
	n := scaled(20_000_000)
	t := time.Now()
	for i := 0; i < n; i++ {
		mu.Lock()
		counter++
		mu.Unlock()
	}
	report("mutex_uncontended", perOp(t, n), "ns/op")
}

// work increments a critical section.
func contended(name string, n, work int) {
	const goroutines = 8
	var mu sync.Mutex
	var wg sync.WaitGroup
	each := n / goroutines
	t := time.Now()
	for g := 0; g < goroutines; g++ {
		wg.Add(1)
		go func() {
			for i := 0; i < each; i++ {
				mu.Lock()
				for k := 0; k < work; k++ {
					counter++
				}
				mu.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	report(name, perOp(t, n), "ns/op")
}

func main() {
	uncontended()
	contended("mutex_8g", scaled(16_000_000), 1)
	contended("mutex_8g_cs100", scaled(4_000_000), 100)
}
