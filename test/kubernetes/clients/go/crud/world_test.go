// Package crud uses every verb of the Kubernetes API on leases, through the clients of client-go.
package crud

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/watch"
	typedv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"leasehold.dev/clients/connect"
)

// deadline is for what waits for the server.
const deadline = 30 * time.Second

// leasesOf is a client for a namespace that is this test's alone. It notices bodies and answers in another form than was asked for.
func leasesOf(t *testing.T) (context.Context, typedv1.LeaseInterface) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	client, err := connect.Client(func(request *http.Request, response *http.Response) { checkForms(t, request, response) })
	must(t, err)
	return ctx, client.CoordinationV1().Leases("crud-" + rand.String(8))
}

func checkForms(t *testing.T, request *http.Request, response *http.Response) {
	wanted := "application/vnd.kubernetes.protobuf"
	if os.Getenv("BODIES") == "json" {
		wanted = "application/json"
	}
	if sent := request.Header.Get("Content-Type"); request.Method != http.MethodPatch && sent != "" && sent != wanted {
		t.Errorf("%s: sent %s, not %s", request.Method, sent, wanted)
	}
	if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, wanted) {
		t.Errorf("%s: answered with %s, not %s", request.Method, got, wanted)
	}
}

// leaseOf is a lease that is held.
func leaseOf(name, holder string, labels map[string]string) *coordinationv1.Lease {
	now := metav1.NewMicroTime(time.Now())
	seconds, transitions := int32(60), int32(0)
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       &holder,
			LeaseDurationSeconds: &seconds,
			LeaseTransitions:     &transitions,
			AcquireTime:          &now,
			RenewTime:            &now,
		},
	}
}

func create(ctx context.Context, t *testing.T, leases typedv1.LeaseInterface, lease *coordinationv1.Lease) *coordinationv1.Lease {
	t.Helper()
	created, err := leases.Create(ctx, lease, metav1.CreateOptions{})
	must(t, err)
	return created
}

// createAll creates leases named by a letter and a number, and labels every second one as even.
func createAll(ctx context.Context, t *testing.T, leases typedv1.LeaseInterface, count int) {
	t.Helper()
	for index := range count {
		part := []string{"even", "odd"}[index%2]
		create(ctx, t, leases, leaseOf(fmt.Sprintf("l%03d", index), "me", map[string]string{"part": part}))
	}
}

func namesOf(list *coordinationv1.LeaseList) string {
	names := make([]string, len(list.Items))
	for index := range list.Items {
		names[index] = list.Items[index].Name
	}
	return strings.Join(names, " ")
}

// next is the next event of a watch that is not a bookmark.
func next(ctx context.Context, t *testing.T, events watch.Interface) watch.Event {
	t.Helper()
	for {
		select {
		case event, open := <-events.ResultChan():
			if !open {
				t.Fatal("the watch has ended")
			}
			if event.Type != watch.Bookmark {
				return event
			}
		case <-ctx.Done():
			t.Fatal("there is no further event")
		}
	}
}

func expectEvent(t *testing.T, event watch.Event, eventType watch.EventType, name string) *coordinationv1.Lease {
	t.Helper()
	lease, isLease := event.Object.(*coordinationv1.Lease)
	if !isLease || event.Type != eventType || lease.Name != name {
		t.Fatalf("got %s %v, not %s %s", event.Type, event.Object, eventType, name)
	}
	return lease
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expectError checks an error with a predicate of apimachinery.
func expectError(t *testing.T, err error, predicate func(error) bool, message string) {
	t.Helper()
	if err == nil || !predicate(err) || !strings.Contains(err.Error(), message) {
		t.Errorf("another error than %q was expected: %#v", message, err)
	}
}

func equal[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %v, not %v", what, got, wanted)
	}
}
