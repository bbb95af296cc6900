//go:build ignore

// (b) memory and time of 1M parked goroutines. One mode a process, so that
// each RSS figure starts from a fresh heap: shared | own | sleep.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func rss() int64 {
	b, _ := os.ReadFile("/proc/self/statm")
	v, _ := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	return v * int64(os.Getpagesize())
}

var n = 1_000_000 // or the second argument

func main() {
	mode := "shared"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	var wg sync.WaitGroup
	var up atomic.Int64
	wg.Add(n)
	waitUp := func() {
		for up.Load() < int64(n) {
			time.Sleep(time.Millisecond)
		}
	}
	switch mode {
	case "shared": // all blocked on one channel; close wakes all
		c := make(chan struct{})
		r0 := rss()
		t := time.Now()
		for i := 0; i < n; i++ {
			go func() { up.Add(1); <-c; wg.Done() }()
		}
		waitUp()
		d := time.Since(t)
		time.Sleep(200 * time.Millisecond)
		fmt.Printf("parked_shared_rss %.0f bytes/goroutine\n", float64(rss()-r0)/float64(n))
		fmt.Printf("parked_shared_spawn %.1f ns/goroutine\n", float64(d.Nanoseconds())/float64(n))
		t = time.Now()
		close(c)
		wg.Wait()
		fmt.Printf("parked_shared_wake_all %.1f ms\n", float64(time.Since(t).Microseconds())/1e3)
	case "own": // each blocked on its own unbuffered channel; one send wakes each
		cs := make([]chan int, n)
		r0 := rss()
		t := time.Now()
		for i := 0; i < n; i++ {
			c := make(chan int)
			cs[i] = c
			go func() { up.Add(1); <-c; wg.Done() }()
		}
		waitUp()
		d := time.Since(t)
		time.Sleep(200 * time.Millisecond)
		fmt.Printf("parked_own_rss %.0f bytes/goroutine\n", float64(rss()-r0)/float64(n))
		fmt.Printf("parked_own_spawn %.1f ns/goroutine\n", float64(d.Nanoseconds())/float64(n))
		t = time.Now()
		for _, c := range cs {
			c <- 1
		}
		wg.Wait()
		fmt.Printf("parked_own_wake_all %.1f ms\n", float64(time.Since(t).Microseconds())/1e3)
	case "sleep": // each in time.Sleep until about 10 s after the start
		late := make([]int32, n) // microseconds
		r0 := rss()
		t := time.Now()
		end := t.Add(10 * time.Second)
		for i := 0; i < n; i++ {
			i := i
			go func() {
				up.Add(1)
				time.Sleep(time.Until(end))
				late[i] = int32(time.Since(end).Microseconds())
				wg.Done()
			}()
		}
		waitUp()
		d := time.Since(t)
		time.Sleep(200 * time.Millisecond)
		fmt.Printf("parked_sleep_rss %.0f bytes/goroutine\n", float64(rss()-r0)/float64(n))
		fmt.Printf("parked_sleep_spawn %.1f ns/goroutine\n", float64(d.Nanoseconds())/float64(n))
		wg.Wait()
		sort.Slice(late, func(a, b int) bool { return late[a] < late[b] })
		fmt.Printf("parked_sleep_late_p50 %.1f ms\n", float64(late[n/2])/1e3)
		fmt.Printf("parked_sleep_late_max %.1f ms\n", float64(late[n-1])/1e3)
	}
}
