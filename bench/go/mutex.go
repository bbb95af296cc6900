//go:build ignore

// (f) sync.Mutex: contended by 8 goroutines, and uncontended.
package main

import (
	"fmt"
	"sync"
	"time"
)

func main() {
	var mu sync.Mutex
	const n = 20_000_000
	x := 0
	t := time.Now()
	for i := 0; i < n; i++ {
		mu.Lock()
		x++
		mu.Unlock()
	}
	fmt.Printf("mutex_uncontended %.2f ns/op\n", float64(time.Since(t).Nanoseconds())/n)

	run := func(name string, g, n, work int) {
		var wg sync.WaitGroup
		cnt := 0
		per := make([]time.Duration, g)
		t := time.Now()
		for i := 0; i < g; i++ {
			i := i
			wg.Add(1)
			go func() {
				for j := 0; j < n/g; j++ {
					mu.Lock()
					for k := 0; k < work; k++ {
						cnt++
					}
					mu.Unlock()
				}
				per[i] = time.Since(t)
				wg.Done()
			}()
		}
		wg.Wait()
		fmt.Printf("%s %.1f ns/op\n", name, float64(time.Since(t).Nanoseconds())/float64(n))
	}
	run("mutex_8g", 8, 16_000_000, 1)
	run("mutex_8g_cs100", 8, 4_000_000, 100) // a critical section of 100 increments
}
