//go:build ignore

// What a goroutine costs to start and finish, and a voluntary yield. Twin of bench/degu/spawn.cc.
package main

import (
	"runtime"
	"sync"
	"time"
)

var goroutines = scaled(5_000_000)

func allThenWait() {
	var wg sync.WaitGroup
	n := goroutines
	t := time.Now()
	wg.Add(n)
	for i := 0; i < n; i++ {
		go wg.Done()
	}
	wg.Wait()
	report("spawn_all_then_wait", perOp(t, n), "ns/goroutine")
}

// A closure that captures a variable, as most real code does.
func closuresThenWait() {
	var wg sync.WaitGroup
	n := goroutines
	t := time.Now()
	for i := 0; i < n; i++ {
		i := i
		wg.Add(1)
		go func() { _ = i; wg.Done() }()
	}
	wg.Wait()
	report("spawn_closure_then_wait", perOp(t, n), "ns/goroutine")
}

func joinEach() {
	var wg sync.WaitGroup
	n := scaled(1_000_000)
	t := time.Now()
	for i := 0; i < n; i++ {
		wg.Add(1)
		go wg.Done()
		wg.Wait()
	}
	report("spawn_join_each", perOp(t, n), "ns/goroutine")
}

func batchesOf100() {
	var wg sync.WaitGroup
	n := goroutines
	t := time.Now()
	for i := 0; i < n/100; i++ {
		wg.Add(100)
		for j := 0; j < 100; j++ {
			go wg.Done()
		}
		wg.Wait()
	}
	report("spawn_batch100", perOp(t, n), "ns/goroutine")
}

func twoSpawners() {
	var outer sync.WaitGroup
	n := goroutines
	t := time.Now()
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
	report("spawn_2_spawners", perOp(t, n), "ns/goroutine")
}

// Two goroutines a P.
func yields() {
	var wg sync.WaitGroup
	n := scaled(5_000_000)
	k := 2 * runtime.GOMAXPROCS(0)
	each := n / k
	t := time.Now()
	for p := 0; p < k; p++ {
		wg.Add(1)
		go func() {
			for i := 0; i < each; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	report("yield_wall", perOp(t, n), "ns/yield")
}

func main() {
	allThenWait()
	closuresThenWait()
	joinEach()
	batchesOf100()
	twoSpawners()
	yields()
}
