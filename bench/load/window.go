package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// window says which answers of all connections count: those between from and until, after which nothing new is sent. With streams at a
// pace it is set once all of them have been answered first, which is then told on standard error.
type window struct {
	config      *Config
	unopened    atomic.Int64
	from, until atomic.Int64
}

// How long streams may take to be answered first.
const openTime = 30 * time.Minute

func newWindow(config *Config) *window {
	w := &window{config: config}
	begin := time.Now()
	switch {
	case config.Once:
		w.set(begin, begin.Add(time.Hour))
	case config.Stream && config.PaceSeconds > 0:
		w.unopened.Store(int64(config.Connections))
		w.set(begin.Add(openTime), begin.Add(openTime))
	default:
		w.begin()
	}
	return w
}

// opened says that all streams of one more connection have been answered.
func (w *window) opened() {
	if w.unopened.Add(-1) == 0 {
		w.begin()
		fmt.Fprintln(os.Stderr, "open")
	}
}

func (w *window) begin() {
	from := time.Now().Add(seconds(w.config.WarmUpSeconds))
	w.set(from, from.Add(seconds(w.config.Seconds)))
}

func (w *window) set(from, until time.Time) {
	w.from.Store(from.UnixNano())
	w.until.Store(until.UnixNano())
}

func (w *window) counts(at time.Time) bool {
	return at.UnixNano() >= w.from.Load() && w.sends(at)
}

func (w *window) sends(at time.Time) bool {
	return at.UnixNano() < w.until.Load()
}

// end is when nothing new is sent any more.
func (w *window) end() time.Time {
	return time.Unix(0, w.until.Load())
}
