package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// renew has every caller renew a lease of its own by PUT, one call after the other, as the holder of a lease does.
func renew(ctx context.Context, leases coordination.LeaseInterface, config Config) (*Result, error) {
	return calls(config, func(caller int) (func() error, error) {
		lease, err := ensure(ctx, leases, fmt.Sprintf("caller-%d", caller))
		return func() error {
			lease.Spec.RenewTime = now()
			lease, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
			return err
		}, err
	})
}

// list has every caller list all leases, once they are there.
func list(ctx context.Context, leases coordination.LeaseInterface, config Config) (*Result, error) {
	if err := fill(ctx, leases, config.Leases); err != nil {
		return nil, err
	}
	return calls(config, func(int) (func() error, error) {
		return func() error {
			all, err := leases.List(ctx, metav1.ListOptions{})
			if err == nil && len(all.Items) < config.Leases {
				return fmt.Errorf("the list has %d leases, not %d", len(all.Items), config.Leases)
			}
			return err
		}, nil
	})
}

// calls has callers call at once, each again as soon as it has its answer, and counts those in the counted time.
func calls(config Config, prepare func(caller int) (func() error, error)) (*Result, error) {
	var mutex sync.Mutex
	var latencies []time.Duration
	var failure error
	callers := make([]func() error, config.Callers)
	for index := range callers {
		call, err := prepare(index)
		if err != nil {
			return nil, err
		}
		callers[index] = call
	}
	from := time.Now().Add(seconds(config.WarmUpSeconds))
	until := from.Add(seconds(config.Seconds))
	var group sync.WaitGroup
	for _, call := range callers {
		group.Go(func() {
			var own []time.Duration
			var err error
			for begin := time.Now(); err == nil && begin.Before(until); begin = time.Now() {
				err = call()
				if begin.After(from) {
					own = append(own, time.Since(begin))
				}
			}
			mutex.Lock()
			defer mutex.Unlock()
			latencies = append(latencies, own...)
			if err != nil {
				failure = err
			}
		})
	}
	group.Wait()
	return resultOf(latencies, time.Since(from)), failure
}

// fill makes leases until there are as many.
func fill(ctx context.Context, leases coordination.LeaseInterface, count int) error {
	numbers := make(chan int)
	failures := make(chan error, fillers)
	for range fillers {
		go func() {
			var failure error
			for number := range numbers {
				if failure == nil {
					_, failure = ensure(ctx, leases, fmt.Sprintf("lease-%05d", number))
				}
			}
			failures <- failure
		}()
	}
	for number := range count {
		numbers <- number
	}
	close(numbers)
	var failure error
	for range fillers {
		if err := <-failures; err != nil {
			failure = err
		}
	}
	return failure
}

const fillers = 20

// ensure makes a lease, or reads the one that is there.
func ensure(ctx context.Context, leases coordination.LeaseInterface, name string) (*coordinationv1.Lease, error) {
	holder, duration := name, int32(3600)
	created, err := leases.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       &holder,
			LeaseDurationSeconds: &duration,
			AcquireTime:          now(),
			RenewTime:            now(),
		},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return leases.Get(ctx, name, metav1.GetOptions{})
	}
	return created, err
}

func now() *metav1.MicroTime {
	time := metav1.NowMicro()
	return &time
}
