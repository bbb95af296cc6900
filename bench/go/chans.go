//go:build ignore

// Channels and select. Twin of bench/degu/chans.cc.
package main

import (
	"sync"
	"time"
)

func pingPong() {
	n := scaled(2_000_000)
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- v
		}
		close(back)
	}()
	t := time.Now()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
	report("chan_pingpong", perOp(t, n), "ns/roundtrip")
	close(there)
}

func mpmc(name string, producers, consumers, capacity, n int) {
	c := make(chan int, capacity)
	var p, q sync.WaitGroup
	each := n / producers
	sums := make([]int, consumers*16)
	t := time.Now()
	for i := 0; i < producers; i++ {
		p.Add(1)
		go func() {
			for j := 0; j < each; j++ {
				c <- j
			}
			p.Done()
		}()
	}
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
	report(name, perOp(t, n), "ns/op")
}

// No switch, no contention.
func sameGoroutine() {
	n := scaled(20_000_000)
	c := make(chan int, 128)
	t := time.Now()
	for i := 0; i < n; i++ {
		c <- i
		<-c
	}
	report("chan_same_goroutine_send_recv", perOp(t, n), "ns/pair")
}

func selectOfFour(name string, capacity int) {
	each := scaled(4_000_000) / 4
	n := each * 4
	var cs [4]chan int
	for i := range cs {
		c := make(chan int, capacity)
		cs[i] = c
		go func() {
			for j := 0; j < each; j++ {
				c <- j
			}
		}()
	}
	s := 0
	t := time.Now()
	for i := 0; i < n; i++ {
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
	report(name, perOp(t, n), "ns/op")
}

func selectWithDefault() {
	n := scaled(50_000_000)
	c := make(chan int)
	idle := 0
	t := time.Now()
	for i := 0; i < n; i++ {
		select {
		case <-c:
		default:
			idle++
		}
	}
	report("select_default_empty", perOp(t, n), "ns/op")
}

func main() {
	pingPong()
	mpmc("chan_spsc_128", 1, 1, 128, scaled(10_000_000))
	mpmc("chan_mpmc4x4_128", 4, 4, 128, scaled(10_000_000))
	mpmc("chan_mpmc4x4_unbuf", 4, 4, 0, scaled(2_000_000))
	sameGoroutine()
	selectOfFour("select4_unbuf", 0)
	selectOfFour("select4_128", 128)
	selectWithDefault()
}
