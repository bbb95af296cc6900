//go:build ignore

// (c) unbuffered ping-pong, (d) buffered(128) SPSC and MPMC 4x4, (e) select.
package main

import (
	"fmt"
	"sync"
	"time"
)

func report(name string, t time.Time, n int, unit string) {
	fmt.Printf("%s %.1f %s\n", name, float64(time.Since(t).Nanoseconds())/float64(n), unit)
}

func mpmc(name string, producers, consumers, capacity, n int) {
	c := make(chan int, capacity)
	var p, q sync.WaitGroup
	t := time.Now()
	for i := 0; i < producers; i++ {
		p.Add(1)
		go func() {
			for j := 0; j < n/producers; j++ {
				c <- j
			}
			p.Done()
		}()
	}
	sums := make([]int, consumers*16)
	for i := 0; i < consumers; i++ {
		i := i
		q.Add(1)
		go func() {
			s := 0
			for v := range c {
				s += v
			}
			sums[i*16] = s
			q.Done()
		}()
	}
	p.Wait()
	close(c)
	q.Wait()
	report(name, t, n, "ns/op")
}

func main() {
	{ // (c)
		const n = 2_000_000
		a, b := make(chan int), make(chan int)
		go func() {
			for v := range a {
				b <- v
			}
			close(b)
		}()
		t := time.Now()
		for i := 0; i < n; i++ {
			a <- i
			<-b
		}
		report("chan_pingpong", t, n, "ns/roundtrip")
		close(a)
	}
	mpmc("chan_spsc_128", 1, 1, 128, 10_000_000)
	mpmc("chan_mpmc4x4_128", 4, 4, 128, 10_000_000)
	mpmc("chan_mpmc4x4_unbuf", 4, 4, 0, 2_000_000)
	{ // single goroutine, buffered: no switch, no contention
		const n = 20_000_000
		c := make(chan int, 128)
		t := time.Now()
		for i := 0; i < n; i++ {
			c <- i
			<-c
		}
		report("chan_same_goroutine_send_recv", t, n, "ns/pair")
	}
	sel := func(name string, capacity, n int) { // (e)
		var cs [4]chan int
		for i := range cs {
			c := make(chan int, capacity)
			cs[i] = c
			go func() {
				for j := 0; j < n/4; j++ {
					c <- j
				}
			}()
		}
		s := 0
		t := time.Now()
		for i := 0; i < n/4*4; i++ {
			select {
			case v := <-cs[0]:
				s += v
			case v := <-cs[1]:
				s += v
			case v := <-cs[2]:
				s += v
			case v := <-cs[3]:
				s += v
			}
		}
		report(name, t, n, "ns/op")
	}
	sel("select4_unbuf", 0, 4_000_000)
	sel("select4_128", 128, 4_000_000)
	{ // select with default on an empty channel: the poll fast path
		const n = 50_000_000
		c := make(chan int)
		k := 0
		t := time.Now()
		for i := 0; i < n; i++ {
			select {
			case <-c:
			default:
				k++
			}
		}
		report("select_default_empty", t, n, "ns/op")
	}
}
