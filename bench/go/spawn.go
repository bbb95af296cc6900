//go:build ignore

// (a) goroutine spawn+finish cost, and the cost of a voluntary yield.
// Build: go build spawn.go   Prints "name value unit" lines.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func main() {
	const n = 5_000_000
	var wg sync.WaitGroup

	// One goroutine spawns n empty goroutines, then waits for all of them.
	t := time.Now()
	wg.Add(n)
	for i := 0; i < n; i++ {
		go wg.Done()
	}
	wg.Wait()
	fmt.Printf("spawn_all_then_wait %.1f ns/goroutine\n", float64(time.Since(t).Nanoseconds())/n)

	// Same with a closure that captures one variable (as most real code does).
	t = time.Now()
	for i := 0; i < n; i++ {
		i := i
		wg.Add(1)
		go func() { _ = i; wg.Done() }()
	}
	wg.Wait()
	fmt.Printf("spawn_closure_then_wait %.1f ns/goroutine\n", float64(time.Since(t).Nanoseconds())/n)

	// Spawn one, wait for it, repeat: a full spawn, switch, finish, wake.
	const m = 1_000_000
	t = time.Now()
	for i := 0; i < m; i++ {
		wg.Add(1)
		go wg.Done()
		wg.Wait()
	}
	fmt.Printf("spawn_join_each %.1f ns/goroutine\n", float64(time.Since(t).Nanoseconds())/m)

	// Batches of 100: spawn 100, wait, repeat.
	t = time.Now()
	for i := 0; i < n/100; i++ {
		wg.Add(100)
		for j := 0; j < 100; j++ {
			go wg.Done()
		}
		wg.Wait()
	}
	fmt.Printf("spawn_batch100 %.1f ns/goroutine\n", float64(time.Since(t).Nanoseconds())/n)

	// Spawn from both Ps at once: 2 spawners, n/2 each.
	t = time.Now()
	var outer sync.WaitGroup
	for p := 0; p < 2; p++ {
		outer.Add(1)
		go func() {
			defer outer.Done()
			var w sync.WaitGroup
			w.Add(n / 2)
			for i := 0; i < n/2; i++ {
				go w.Done()
			}
			w.Wait()
		}()
	}
	outer.Wait()
	fmt.Printf("spawn_2_spawners %.1f ns/goroutine\n", float64(time.Since(t).Nanoseconds())/n)

	// Yield: 2 goroutines per P call Gosched.
	const y = 5_000_000
	k := 2 * runtime.GOMAXPROCS(0)
	t = time.Now()
	for p := 0; p < k; p++ {
		wg.Add(1)
		go func() {
			for i := 0; i < y/k; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	fmt.Printf("yield_wall %.1f ns/yield\n", float64(time.Since(t).Nanoseconds())/y)
}
