package main

import (
	"context"
	"net/http"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/utils/clock"

	"leasehold.dev/clients/connect"
)

// keepNodeLease renews the lease of a node as kubelet does, only faster: NODE.
func keepNodeLease(ctx context.Context, args []string) error {
	node := args[0]
	client, err := connect.Client(sayHeartbeat)
	if err != nil {
		return err
	}
	onFailures := func() { connect.Say("failing", nil) }
	ownedByNode := func(lease *coordinationv1.Lease) error {
		if len(lease.OwnerReferences) == 0 {
			lease.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "v1", Kind: "Node", Name: node, UID: types.UID("uid-of-" + node)},
			}
		}
		return nil
	}
	const seconds, interval = 12, time.Second
	lease.NewController(clock.RealClock{}, client, node, seconds, onFailures, interval, node, "kube-node-lease", ownedByNode).Run(ctx)
	return nil
}

func sayHeartbeat(request *http.Request, response *http.Response) {
	switch {
	case request.Method == http.MethodPost && response.StatusCode == http.StatusCreated:
		connect.Say("created", nil)
	case request.Method == http.MethodPut && response.StatusCode == http.StatusOK:
		connect.Say("renewed", nil)
	}
}
