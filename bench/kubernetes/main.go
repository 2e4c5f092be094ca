// Command kubernetes puts a server of the Kubernetes API under load with client-go, as controllers do, and counts what comes back.
//
// It reads its configuration as JSON from standard input and writes its result as JSON to standard output.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	"k8s.io/client-go/kubernetes"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
)

// Config says whom to ask, and for what.
type Config struct {
	// Server is the URL.
	Server string `json:"server"`
	// CA is the file of who signs the server's certificate; empty for plain HTTP.
	CA string `json:"ca"`
	// Token is shown to the server; it may be empty.
	Token string `json:"token"`
	// Mode is "renew": callers each renew a lease of their own; "list": callers each list all leases of the namespace, after Leases
	// of them have been made; "watch": callers each watch the namespace while Leases are written at Rate a second.
	Mode    string `json:"mode"`
	Callers int    `json:"callers"`
	Leases  int    `json:"leases"`
	// Rate of changes a second, for watches.
	Rate          int     `json:"rate"`
	WarmUpSeconds float64 `json:"warmUpSeconds"`
	Seconds       float64 `json:"seconds"`
}

// Result says what came back in the counted time.
type Result struct {
	Seconds  float64 `json:"seconds"`
	Answered int64   `json:"answered"`
	// P50, P99 and Max are latencies in microseconds: of calls, and of events since their write was sent.
	P50 int64 `json:"p50Micros"`
	P99 int64 `json:"p99Micros"`
	Max int64 `json:"maxMicros"`
}

const namespace = "default"

func main() {
	var config Config
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		fail(err)
	}
	result, err := run(config)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func run(config Config) (*Result, error) {
	ctx := context.Background()
	leases, err := connect(config)
	if err != nil {
		return nil, err
	}
	switch config.Mode {
	case "renew":
		return renew(ctx, leases, config)
	case "list":
		return list(ctx, leases, config)
	case "watch":
		return watch(ctx, leases, config)
	}
	return nil, fmt.Errorf("there is no mode %q", config.Mode)
}

// connect makes a typed client as controllers have it, in protobuf, but without a limit of its own.
func connect(config Config) (coordination.LeaseInterface, error) {
	clients, err := kubernetes.NewForConfig(&rest.Config{
		Host:            config.Server,
		BearerToken:     config.Token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: config.CA},
		ContentConfig:   rest.ContentConfig{ContentType: "application/vnd.kubernetes.protobuf"},
		UserAgent:       "bench",
		QPS:             -1,
	})
	if err != nil {
		return nil, err
	}
	return clients.CoordinationV1().Leases(namespace), nil
}

func resultOf(latencies []time.Duration, elapsed time.Duration) *Result {
	sort.Slice(latencies, func(i, j int) bool { return latencies[i] < latencies[j] })
	at := func(share float64) int64 {
		if len(latencies) == 0 {
			return 0
		}
		return latencies[min(len(latencies)-1, int(share*float64(len(latencies))))].Microseconds()
	}
	return &Result{Seconds: elapsed.Seconds(), Answered: int64(len(latencies)), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

func seconds(count float64) time.Duration {
	return time.Duration(count * float64(time.Second))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "kubernetes:", err)
	os.Exit(1)
}
