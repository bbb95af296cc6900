//go:build ignore

// What the runtime benchmarks share: lines of "name value unit", sizes, and facts about this process. Each program is
// built from its own file and this one.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func report(name string, value float64, unit string) {
	fmt.Printf("%s %.2f %s\n", name, value, unit)
}

// perOp is the time since t in nanoseconds, a share of n.
func perOp(t time.Time, n int) float64 {
	return float64(time.Since(t).Nanoseconds()) / float64(n)
}

func ms(t time.Time) float64 {
	return float64(time.Since(t).Microseconds()) / 1e3
}

// scaled is n, or n / BENCH_DIVIDE for a quick look whether a program works.
func scaled(n int) int {
	if by, err := strconv.Atoi(os.Getenv("BENCH_DIVIDE")); err == nil && by > 1 {
		return n / by
	}
	return n
}

// rss is the resident memory of this process in bytes.
func rss() float64 {
	b, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return float64(pages * os.Getpagesize())
}

func threads() float64 {
	tasks, _ := os.ReadDir("/proc/self/task")
	return float64(len(tasks))
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// reportLateness reports median, 99th percentile and maximum.
func reportLateness(name string, late []float64, unit string) {
	sort.Float64s(late)
	report(name+"_late_p50", late[len(late)/2], unit)
	report(name+"_late_p99", late[len(late)*99/100], unit)
	report(name+"_late_max", late[len(late)-1], unit)
}

func mode(otherwise string) string {
	if len(os.Args) > 1 {
		return os.Args[1]
	}
	return otherwise
}
