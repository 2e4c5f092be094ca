// Clients of the Kubernetes API as they run in clusters: an elector, kubelet's node lease, and an informer. Each tells of what happens to it
// in lines of JSON, and stops at SIGTERM.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"leasehold.dev/clients/connect"
)

var programs = map[string]func(ctx context.Context, args []string) error{
	"elector":    elect,
	"informer":   inform,
	"node-lease": keepNodeLease,
}

func main() {
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		connect.Die(fmt.Errorf("usage: clients elector|informer|node-lease ARGUMENTS"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := programs[os.Args[1]](ctx, os.Args[2:]); err != nil {
		connect.Die(err)
	}
}
