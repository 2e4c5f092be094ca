package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// watch has every caller watch the namespace while leases are renewed at a rate, and measures how old the renewals are when they come.
// That is their `renewTime`, which this process has written.
func watch(ctx context.Context, leases coordination.LeaseInterface, config Config) (*Result, error) {
	held := make([]*coordinationv1.Lease, config.Leases)
	for index := range held {
		lease, err := ensure(ctx, leases, fmt.Sprintf("watched-%d", index))
		if err != nil {
			return nil, err
		}
		held[index] = lease
	}
	all, err := leases.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	watches := make([]apiwatch.Interface, config.Callers)
	for index := range watches {
		options := metav1.ListOptions{ResourceVersion: all.ResourceVersion, AllowWatchBookmarks: true}
		if watches[index], err = leases.Watch(ctx, options); err != nil {
			return nil, err
		}
	}
	from := time.Now().Add(seconds(config.WarmUpSeconds))
	var mutex sync.Mutex
	var latencies []time.Duration
	var watchers sync.WaitGroup
	for _, watched := range watches {
		watchers.Go(func() {
			own := agesSeen(watched, from)
			mutex.Lock()
			defer mutex.Unlock()
			latencies = append(latencies, own...)
		})
	}
	err = write(ctx, leases, held, config)
	elapsed := time.Since(from)
	time.Sleep(time.Second)
	for _, watched := range watches {
		watched.Stop()
	}
	watchers.Wait()
	return resultOf(latencies, elapsed), err
}

// agesSeen returns how old each renewal is when it comes, from an instant on, until the watch is stopped.
func agesSeen(watched apiwatch.Interface, from time.Time) []time.Duration {
	var ages []time.Duration
	for event := range watched.ResultChan() {
		lease, ok := event.Object.(*coordinationv1.Lease)
		if ok && event.Type == apiwatch.Modified && lease.Spec.RenewTime.After(from) {
			ages = append(ages, time.Since(lease.Spec.RenewTime.Time))
		}
	}
	return ages
}

// write renews the leases in turn at the rate, by as many writers as there are leases.
func write(ctx context.Context, leases coordination.LeaseInterface, held []*coordinationv1.Lease, config Config) error {
	until := time.Now().Add(seconds(config.WarmUpSeconds + config.Seconds))
	interval := time.Duration(len(held)) * time.Second / time.Duration(config.Rate)
	failures := make(chan error, len(held))
	for index, lease := range held {
		go func() {
			var err error
			time.Sleep(interval * time.Duration(index) / time.Duration(len(held)))
			for due := time.Now(); err == nil && due.Before(until); due = due.Add(interval) {
				time.Sleep(time.Until(due))
				lease.Spec.RenewTime = now()
				lease, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
			}
			failures <- err
		}()
	}
	var failure error
	for range held {
		if err := <-failures; err != nil {
			failure = err
		}
	}
	return failure
}
