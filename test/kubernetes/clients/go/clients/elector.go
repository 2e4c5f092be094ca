package main

import (
	"context"
	"os"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"leasehold.dev/clients/connect"
)

// elect campaigns for a lease until SIGTERM: NAMESPACE NAME IDENTITY LOCK-FILE.
//
// While it leads it holds a lock on the file, which the kernel gives to one process at a time and takes from one that is killed: so two
// leaders at a time do not go unseen.
func elect(ctx context.Context, args []string) error {
	namespace, name, identity, lockFile := args[0], args[1], args[2], args[3]
	client, err := connect.Client(nil)
	if err != nil {
		return err
	}
	// It is the campaign that is ended by the work, not the other way round: with ReleaseOnCancel, client-go gives the lease back as soon
	// as its context is done, and does not wait for work that is still under way.
	campaign, resign := context.WithCancel(context.Background())
	defer resign()
	work := newWork(lockFile)
	go func() {
		<-ctx.Done()
		work.end()
		resign()
	}()
	leaderelection.RunOrDie(campaign, leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
		},
		ReleaseOnCancel: true,
		LeaseDuration:   5 * time.Second,
		RenewDeadline:   4 * time.Second,
		RetryPeriod:     time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { work.begin() },
			OnStoppedLeading: func() { connect.Say("stopped", nil) },
			OnNewLeader:      func(leader string) { connect.Say("leader", map[string]any{"identity": leader}) },
		},
	})
	return nil
}

// work is what only one at a time may do.
type work struct {
	file  *os.File
	turns chan bool
}

func newWork(lockFile string) *work {
	file, err := os.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		connect.Die(err)
	}
	turns := make(chan bool, 1)
	turns <- true
	return &work{file, turns}
}

func (w *work) begin() {
	if mayWork := <-w.turns; mayWork {
		if err := syscall.Flock(int(w.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			connect.Say("overlap", map[string]any{"error": err.Error()})
		} else {
			connect.Say("leading", nil)
		}
	}
	w.turns <- true
}

// end lets go of the lock; no work begins afterwards.
func (w *work) end() {
	<-w.turns
	w.file.Close()
	w.turns <- false
}
