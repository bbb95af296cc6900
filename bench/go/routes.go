//go:build ignore

// Routing the routes of $BENCH_ROUTES ("METHOD PATH" lines), each once a round, through a handler that does nothing. Twin of
// bench/degu/routes.cc.
package main

import (
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

type discard struct{ fields http.Header }

func (d *discard) Header() http.Header             { return d.fields }
func (d *discard) Write(body []byte) (int, error)  { return len(body), nil }
func (d *discard) WriteString(s string) (int, error) { return len(s), nil }
func (d *discard) WriteHeader(int)                 {}

func main() {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	text, _ := os.ReadFile(os.Getenv("BENCH_ROUTES"))
	var requests []*http.Request
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		method, path, _ := strings.Cut(line, " ")
		router.Handle(method, path, func(c *gin.Context) {})
		request, _ := http.NewRequest(method, path, nil)
		requests = append(requests, request)
	}
	w := &discard{http.Header{}}
	allOnce := func() {
		for _, request := range requests {
			router.ServeHTTP(w, request)
		}
	}
	allOnce()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rounds := scaled(50000)
	t := time.Now()
	for i := 0; i < rounds; i++ {
		allOnce()
	}
	report("routes_github_all", perOp(t, rounds), "ns/round")
	runtime.ReadMemStats(&after)
	report("routes_github_allocations", float64(after.Mallocs-before.Mallocs)/float64(rounds), "/round")
	report("routes_github_count", float64(len(requests)), "routes")
}
