package gateway_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// atOnce is how many clients ask at a time.
const atOnce = 64

// Requests with plain answers, straight to the provider and through the gateway:
// small ones from 64 clients, and whole conversations from one. Clients, gateway and
// provider share the processors.
func BenchmarkPlain(b *testing.B) {
	s := newStub(b)
	doors := []struct {
		name string
		open func(testing.TB) door
	}{
		{"direct", func(testing.TB) door { return door{addr: s.addr(), path: "/v1/chat/completions", token: testKey} }},
		{"gateway", func(tb testing.TB) door { return gatewayTo(tb, s) }},
	}
	for _, d := range doors {
		b.Run("small/"+d.name, func(b *testing.B) {
			at := d.open(b)
			b.SetParallelism(atOnce / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) { at.callWhile(b, smallRequest, pb.Next) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
	for _, d := range doors {
		b.Run("200kB/"+d.name, func(b *testing.B) {
			at := d.open(b)
			b.ReportAllocs()
			at.callWhile(b, longRequest, b.Loop)
		})
	}
}

// callWhile asks one thing over one connection, as long as it is to go on.
func (d door) callWhile(tb testing.TB, body string, next func() bool) {
	c, err := d.call(body)
	if err != nil {
		tb.Error(err)
		return
	}
	defer c.close()
	for next() {
		if err := c.plain(); err != nil {
			tb.Error(err)
			return
		}
	}
}

// Streams of 50 chunks a second, 64 at once, by turns straight to the provider and
// through the gateway. Reported, in milliseconds: what the gateway adds to the time
// until the first chunk, by the difference of the medians and of the 99th
// percentiles; and how long chunks are on their way, from the provider's write to
// the client's read, either way.
func BenchmarkStreams(b *testing.B) {
	const rounds = 8
	s := newStub(b)
	s.pause = 20 * time.Millisecond
	direct, through := door{addr: s.addr(), path: "/v1/chat/completions", token: testKey}, gatewayTo(b, s)
	var directFirst, directDelays, firsts, delays []time.Duration
	for b.Loop() {
		for range rounds {
			f, d := direct.streams(b, atOnce)
			directFirst, directDelays = append(directFirst, f...), append(directDelays, d...)
			f, d = through.streams(b, atOnce)
			firsts, delays = append(firsts, f...), append(delays, d...)
		}
	}
	if b.Failed() {
		return
	}
	b.ReportMetric(quantile(firsts, 0.5)-quantile(directFirst, 0.5), "added-p50-ms")
	b.ReportMetric(quantile(firsts, 0.99)-quantile(directFirst, 0.99), "added-p99-ms")
	b.ReportMetric(quantile(directDelays, 0.99), "direct-chunk-p99-ms")
	b.ReportMetric(quantile(directDelays, 1), "direct-chunk-max-ms")
	b.ReportMetric(quantile(delays, 0.5), "chunk-p50-ms")
	b.ReportMetric(quantile(delays, 0.99), "chunk-p99-ms")
	b.ReportMetric(quantile(delays, 1), "chunk-max-ms")
}

// Ten thousand calls of one session. Reported: how many bytes of memory are still in
// use after them, for each.
func BenchmarkMemory(b *testing.B) {
	const calls = 10_000
	at := gatewayTo(b, newStub(b))
	at.ask(b, 8, 1000) // what is made once
	for b.Loop() {
		before := inUse()
		at.ask(b, 8, calls)
		b.ReportMetric(float64(inUse()-before)/calls, "kept-B/call")
	}
}

// ask lets callers ask for plain answers, so often in all.
func (d door) ask(tb testing.TB, callers, calls int) {
	tb.Helper()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			n := 0
			d.callWhile(tb, smallRequest, func() bool { n++; return n <= calls/callers })
		})
	}
	wg.Wait()
}

// inUse is the memory of the heap that is still needed, in bytes.
func inUse() int64 {
	var least []int64
	for range 5 { // pools are emptied by the second, and finalizers run between them
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		least = append(least, int64(m.HeapAlloc))
	}
	return slices.Min(least)
}
