//go:build ignore

// Lateness of a goroutine on a 1 ms grid while others block their thread or spin. Twin of bench/degu/jitter.cc.
// usage: jitter idle|nanosleep|nanosleep_marked|hog
//
// Tick i is due at start + i ms; a late tick does not move the later ones, so a stall is charged to each tick that it
// delays. Go marks system calls by itself: the two nanosleep modes are one here.
package main

import (
	"syscall"
	"time"
	"unsafe"
)

var sink [8 * 16]int

func blockFor100ms() {
	for {
		ts := syscall.Timespec{Nsec: 100_000_000}
		syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
	}
}

func main() {
	kind := mode("idle")
	switch kind {
	case "nanosleep", "nanosleep_marked":
		for i := 0; i < 64; i++ {
			go blockFor100ms()
		}
	case "hog":
		for i := 0; i < 4; i++ {
			p := &sink[i*16]
			go func() {
				for {
					*p++
				}
			}()
		}
	}
	time.Sleep(200 * time.Millisecond)
	ticks := scaled(5000)
	late := make([]float64, 0, ticks)
	start := time.Now()
	for i := 1; i <= ticks; i++ {
		due := start.Add(time.Duration(i) * time.Millisecond)
		if d := time.Until(due); d > 0 {
			time.Sleep(d)
		}
		late = append(late, float64(time.Since(due).Nanoseconds())/1e3)
	}
	reportLateness("ticker_"+kind, late, "us")
	report("ticker_"+kind+"_threads", threads(), "threads")
}
