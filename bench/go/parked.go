//go:build ignore

// Memory and time of a million parked goroutines. Twin of bench/degu/parked.cc. One mode a process, so that each figure
// starts from a fresh heap. usage: parked shared|own|sleep|shared_small|own_small [GOROUTINES]
package main

import (
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type crowd struct {
	size int
	name string
	done sync.WaitGroup
	up   atomic.Int64
}

// gather starts everybody with start(i) and reports memory and start-up time once all are parked.
func (c *crowd) gather(start func(i int)) {
	before := rss()
	t := time.Now()
	c.done.Add(c.size)
	for i := 0; i < c.size; i++ {
		start(i)
	}
	for c.up.Load() < int64(c.size) {
		time.Sleep(time.Millisecond)
	}
	spawn := perOp(t, c.size)
	time.Sleep(200 * time.Millisecond)
	report(c.name+"_rss", (rss()-before)/float64(c.size), "bytes/goroutine")
	report(c.name+"_spawn", spawn, "ns/goroutine")
}

// All wait on one channel; closing it wakes all.
func (c *crowd) shared() {
	gate := make(chan struct{})
	c.gather(func(int) {
		go func() {
			c.up.Add(1)
			<-gate
			c.done.Done()
		}()
	})
	t := time.Now()
	close(gate)
	c.done.Wait()
	report(c.name+"_wake_all", ms(t), "ms")
}

// Each waits on a channel of its own; one send wakes each.
func (c *crowd) own() {
	gates := make([]chan int, c.size)
	c.gather(func(i int) {
		gate := make(chan int)
		gates[i] = gate
		go func() {
			c.up.Add(1)
			<-gate
			c.done.Done()
		}()
	})
	t := time.Now()
	for _, gate := range gates {
		gate <- 1
	}
	c.done.Wait()
	report(c.name+"_wake_all", ms(t), "ms")
}

// Each sleeps until ten seconds after the start.
func (c *crowd) sleep() {
	late := make([]float64, c.size)
	end := time.Now().Add(10 * time.Second)
	c.gather(func(i int) {
		go func() {
			c.up.Add(1)
			time.Sleep(time.Until(end))
			late[i] = float64(time.Since(end).Microseconds()) / 1e3
			c.done.Done()
		}()
	})
	c.done.Wait()
	sort.Float64s(late)
	report(c.name+"_late_p50", late[c.size/2], "ms")
	report(c.name+"_late_max", late[c.size-1], "ms")
}

func main() {
	kind := mode("shared")
	c := &crowd{size: 1_000_000, name: "parked_" + kind}
	if len(os.Args) > 2 {
		c.size, _ = strconv.Atoi(os.Args[2])
	}
	switch strings.TrimSuffix(kind, "_small") { // Go's stacks have one size
	case "own":
		c.own()
	case "sleep":
		c.sleep()
	default:
		c.shared()
	}
}
