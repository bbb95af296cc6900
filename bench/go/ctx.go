//go:build ignore

// Contexts: create and cancel one with a timeout, cancel many descendants. Twin of bench/degu/ctx.cc.
package main

import (
	"context"
	"sync"
	"time"
)

func createAndCancel(name string, parent context.Context) {
	n := scaled(2_000_000)
	t := time.Now()
	for i := 0; i < n; i++ {
		_, cancel := context.WithTimeout(parent, time.Minute)
		cancel()
	}
	report(name, perOp(t, n), "ns/op")
}

func check(contexts []context.Context) {
	for _, c := range contexts {
		if c.Err() == nil {
			panic("alive after its parent was cancelled")
		}
	}
}

// Children of one parent; nobody waits for them.
func flat(n int) {
	parent, cancel := context.WithCancel(context.Background())
	children := make([]context.Context, n)
	t := time.Now()
	for i := range children {
		children[i], _ = context.WithCancel(parent)
	}
	report("ctx_flat100k_create", ms(t), "ms")
	t = time.Now()
	cancel()
	report("ctx_flat100k_cancel", ms(t), "ms")
	check(children)
}

// A 10-ary tree of depth 5: 111,110 descendants. The second figure includes that each is asked.
func tree() {
	root, cancel := context.WithCancel(context.Background())
	level := []context.Context{root}
	var all []context.Context
	for depth := 0; depth < 5; depth++ {
		var next []context.Context
		for _, c := range level {
			for i := 0; i < 10; i++ {
				child, _ := context.WithCancel(c)
				next = append(next, child)
			}
		}
		all = append(all, next...)
		level = next
	}
	t := time.Now()
	cancel()
	report("ctx_tree111k_cancel", ms(t), "ms")
	check(all)
	report("ctx_tree111k_cancel_observed", ms(t), "ms")
}

// A goroutine waits for each child.
func wakeAll(n int) {
	parent, cancel := context.WithCancel(context.Background())
	var up, down sync.WaitGroup
	up.Add(n)
	down.Add(n)
	for i := 0; i < n; i++ {
		c, _ := context.WithCancel(parent)
		go func() {
			up.Done()
			<-c.Done()
			down.Done()
		}()
	}
	up.Wait()
	time.Sleep(50 * time.Millisecond)
	t := time.Now()
	cancel()
	down.Wait()
	report("ctx_flat100k_cancel_wake_goroutines", ms(t), "ms")
}

func main() {
	createAndCancel("ctx_withtimeout_create_cancel", context.Background())
	parent, cancel := context.WithCancel(context.Background())
	createAndCancel("ctx_withtimeout_child_create_cancel", parent)
	cancel()
	flat(scaled(100_000))
	tree()
	wakeAll(scaled(100_000))
}
