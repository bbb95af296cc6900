//go:build ignore

// Timers: a million AfterFuncs or sleeps of 3 to 4 s, evenly spread in a shuffled order, so that all exist before the
// first fires; and AfterFuncs that are stopped. Twin of bench/degu/timers.cc. usage: timers afterfunc|sleep|stop
package main

import (
	"math/rand"
	"sync"
	"time"
)

var n = scaled(1_000_000)

func fire(perm []int) {
	var wg sync.WaitGroup
	late := make([]float64, n)
	wg.Add(n)
	before, t := cpu(), time.Now()
	for i := 0; i < n; i++ {
		d := 3*time.Second + time.Duration(perm[i])*time.Microsecond
		at := time.Now().Add(d)
		i := i
		time.AfterFunc(d, func() {
			late[i] = float64(time.Since(at).Nanoseconds()) / 1e3
			wg.Done()
		})
	}
	report("afterfunc_create", perOp(t, n), "ns/timer")
	created := cpu()
	wg.Wait()
	report("afterfunc_create_cpu", float64((created-before).Nanoseconds())/float64(n), "ns/timer")
	report("afterfunc_fire_cpu", float64((cpu()-created).Nanoseconds())/float64(n), "ns/timer")
	reportLateness("afterfunc", late, "us")
}

func sleep(perm []int) {
	var wg sync.WaitGroup
	late := make([]float64, n)
	wg.Add(n)
	before, t := cpu(), time.Now()
	for i := 0; i < n; i++ {
		i := i
		go func() {
			d := 3*time.Second + time.Duration(perm[i])*time.Microsecond
			at := time.Now().Add(d)
			time.Sleep(d)
			late[i] = float64(time.Since(at).Nanoseconds()) / 1e3
			wg.Done()
		}()
	}
	report("sleep_spawn", perOp(t, n), "ns/goroutine")
	wg.Wait()
	report("sleep_total_cpu", float64((cpu()-before).Nanoseconds())/float64(n), "ns/goroutine")
	reportLateness("sleep", late, "us")
}

func stop(perm []int) {
	for i := 0; i < n/10; i++ { // these stay
		time.AfterFunc(time.Hour+time.Duration(perm[i])*time.Millisecond, func() {})
	}
	t := time.Now()
	for i := 0; i < n; i++ {
		time.AfterFunc(time.Minute+time.Duration(i&1023)*time.Millisecond, func() {}).Stop()
	}
	report("afterfunc_create_stop", perOp(t, n), "ns/timer")
	t = time.Now()
	timers := make([]*time.Timer, n)
	for i := 0; i < n; i++ {
		timers[i] = time.AfterFunc(time.Minute+time.Duration(perm[i])*time.Microsecond, func() {})
	}
	for i := 0; i < n; i++ {
		timers[perm[i]].Stop()
	}
	report("afterfunc_create_1m_stop_random", perOp(t, n), "ns/timer")
}

func main() {
	perm := rand.New(rand.NewSource(1)).Perm(n)
	switch mode("afterfunc") {
	case "afterfunc":
		fire(perm)
	case "sleep":
		sleep(perm)
	case "stop":
		stop(perm)
	}
}
