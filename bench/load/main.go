// Command load puts a gRPC server under load over cleartext HTTP/2 and counts the answers it gets.
//
// It exists because no ready-made generator does all three: a different request body for each call, streams that keep a fixed number
// of messages in flight, and a look at each answer's status. It encodes nothing but heartbeats; everything else is sent as it stands
// in a file of gRPC frames. It reads its configuration as JSON from standard input and writes its result as JSON to standard output.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

// Config says what to send.
type Config struct {
	// Addresses of the servers; connections are spread over them.
	Addresses []string `json:"addresses"`
	// Path of the method, as in "/package.Service/Method".
	Path string `json:"path"`
	// Stream says that the method streams both ways.
	Stream bool `json:"stream"`
	// Connections is how many TCP connections are opened.
	Connections int `json:"connections"`
	// Streams is how many streams a connection has, or how many unary calls it has in flight.
	Streams int `json:"streams"`
	// Bodies is a file of gRPC frames: what unary calls send, in turn, or what each stream sends first.
	Bodies string `json:"bodies"`
	// Once says that each body is sent once, and that this ends the run.
	Once bool `json:"once"`
	// Depth is how many messages of a stream wait for an answer at most.
	Depth int `json:"depth"`
	// PaceSeconds is how often each body, or the message of each stream, is sent, all of them spread evenly over that time, if what is
	// in flight allows; 0: as soon as the one before is answered.
	PaceSeconds float64 `json:"paceSeconds"`
	// Heartbeat says that streams speak Leasehold's Heartbeat: the first message attaches, and every following one beats all
	// handles. Otherwise a stream repeats its first message and gets one answer for each.
	Heartbeat bool `json:"heartbeat"`
	// WarmUpSeconds are not counted; with streams at a pace they begin once all of those have been answered first.
	WarmUpSeconds float64 `json:"warmUpSeconds"`
	Seconds       float64 `json:"seconds"`
}

// Result says what came back.
type Result struct {
	Seconds float64 `json:"seconds"`
	// Answered messages or calls, inside the counted time.
	Answered int64 `json:"answered"`
	// Failed calls, streams, and heartbeats that were not granted; in the whole run.
	Failed int64 `json:"failed"`
	// FirstFailure is why.
	FirstFailure string `json:"firstFailure,omitempty"`
	// Latency percentiles in microseconds: of calls, and of streams with one message in flight.
	P50 int64 `json:"p50Micros"`
	P99 int64 `json:"p99Micros"`
	Max int64 `json:"maxMicros"`
}

func main() {
	var config Config
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		fail(err)
	}
	bodies, err := readFrames(config.Bodies)
	if err != nil {
		fail(err)
	}
	result, err := run(&config, bodies)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}

// run drives all connections, each on its own goroutine, until the time is over or all bodies are sent.
func run(config *Config, bodies [][]byte) (*Result, error) {
	if len(bodies) == 0 {
		return nil, fmt.Errorf("%s holds no frames", config.Bodies)
	}
	connections := make([]*connection, config.Connections)
	for index := range connections {
		opened, err := open(config, config.Addresses[index%len(config.Addresses)], share(bodies, index, config.Connections))
		if err != nil {
			return nil, err
		}
		connections[index] = opened
	}

	counted := newWindow(config)
	begin := time.Now()
	var group sync.WaitGroup
	for _, each := range connections {
		group.Add(1)
		go func() {
			defer group.Done()
			each.drive(counted)
		}()
	}
	group.Wait()
	elapsed := seconds(config.Seconds)
	if config.Once {
		elapsed = time.Since(begin)
	}
	return sum(connections, elapsed), nil
}

func sum(connections []*connection, elapsed time.Duration) *Result {
	result := &Result{Seconds: elapsed.Seconds()}
	var latencies []int64
	for _, each := range connections {
		result.Answered += each.answered
		result.Failed += each.failed
		if result.FirstFailure == "" {
			result.FirstFailure = each.firstFailure
		}
		latencies = append(latencies, each.latencies...)
	}
	if len(latencies) > 0 {
		sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
		result.P50 = latencies[len(latencies)/2]
		result.P99 = latencies[len(latencies)*99/100]
		result.Max = latencies[len(latencies)-1]
	}
	return result
}

// share gives each connection bodies of its own.
func share(bodies [][]byte, index, of int) [][]byte {
	var mine [][]byte
	for at := index % len(bodies); at < len(bodies); at += of {
		mine = append(mine, bodies[at])
	}
	return mine
}

// readFrames splits a file into gRPC frames: a zero byte, the length in four bytes, the message.
func readFrames(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	for len(data) >= 5 {
		size := 5 + int(binary.BigEndian.Uint32(data[1:5]))
		if size > len(data) {
			return nil, fmt.Errorf("%s ends inside a frame", path)
		}
		frames = append(frames, data[:size])
		data = data[size:]
	}
	return frames, nil
}

func seconds(value float64) time.Duration {
	return time.Duration(value * float64(time.Second))
}
