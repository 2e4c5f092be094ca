package crud

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	first := create(ctx, t, leases, leaseOf("a", "me", map[string]string{"app": "x"}))
	all, err := leases.Watch(ctx, metav1.ListOptions{})
	must(t, err)
	defer all.Stop()
	expectEvent(t, next(ctx, t, all), watch.Added, "a")
	selected, err := leases.Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion, LabelSelector: "app=x"})
	must(t, err)
	defer selected.Stop()

	first.Labels = map[string]string{"app": "y"}
	second, err := leases.Update(ctx, first, metav1.UpdateOptions{})
	must(t, err)
	equal(t, "version", expectEvent(t, next(ctx, t, all), watch.Modified, "a").ResourceVersion, second.ResourceVersion)
	// To who selects, what is no longer selected is gone.
	expectEvent(t, next(ctx, t, selected), watch.Deleted, "a")
	second.Labels["app"] = "x"
	third, err := leases.Update(ctx, second, metav1.UpdateOptions{})
	must(t, err)
	expectEvent(t, next(ctx, t, selected), watch.Added, "a")
	expectEvent(t, next(ctx, t, all), watch.Modified, "a")
	must(t, leases.Delete(ctx, "a", metav1.DeleteOptions{}))
	gone := expectEvent(t, next(ctx, t, all), watch.Deleted, "a")
	if gone.ResourceVersion <= third.ResourceVersion {
		t.Errorf("deleted at %s", gone.ResourceVersion)
	}
	expectEvent(t, next(ctx, t, selected), watch.Deleted, "a")
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	seconds := int64(1)
	events, err := leases.Watch(ctx, metav1.ListOptions{TimeoutSeconds: &seconds, AllowWatchBookmarks: true})
	must(t, err)
	defer events.Stop()
	for event := range events.ResultChan() {
		equal(t, "event", event.Type, watch.Bookmark)
	}
	must(t, ctx.Err())
}

func TestWatchList(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	createAll(ctx, t, leases, 3)
	withAll := true
	events, err := leases.Watch(ctx, metav1.ListOptions{
		SendInitialEvents:    &withAll,
		AllowWatchBookmarks:  true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	must(t, err)
	defer events.Stop()
	for _, name := range []string{"l000", "l001", "l002"} {
		expectEvent(t, next(ctx, t, events), watch.Added, name)
	}
	bookmark := <-events.ResultChan()
	lease, isLease := bookmark.Object.(*coordinationv1.Lease)
	if !isLease || bookmark.Type != watch.Bookmark || lease.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
		t.Fatalf("got %s %v", bookmark.Type, bookmark.Object)
	}
	// The bookmark says from where to go on.
	create(ctx, t, leases, leaseOf("new", "me", nil))
	resumed, err := leases.Watch(ctx, metav1.ListOptions{ResourceVersion: lease.ResourceVersion})
	must(t, err)
	defer resumed.Stop()
	expectEvent(t, next(ctx, t, events), watch.Added, "new")
	expectEvent(t, next(ctx, t, resumed), watch.Added, "new")
}

func TestWatchOfAVersionThatIsGone(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	events, err := leases.Watch(ctx, metav1.ListOptions{ResourceVersion: "1"})
	if err == nil {
		defer events.Stop()
		event := next(ctx, t, events)
		equal(t, "event", event.Type, watch.Error)
		err = apierrors.FromObject(event.Object)
	}
	expectError(t, err, apierrors.IsResourceExpired, "too old resource version")
	expectError(t, err, func(err error) bool { return apierrors.ReasonForError(err) == metav1.StatusReasonExpired }, "")
}

// As programs wait for a condition: with a watch that is begun again wherever it ends.
func TestWaitForACondition(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	created := create(ctx, t, leases, leaseOf("a", "me", nil))
	seconds := int64(1)
	watches := 0
	source := &cache.ListWatch{WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
		// The first one ends before there is anything to see.
		if watches++; watches == 2 {
			patch := []byte(`{"spec":{"holderIdentity":"other"}}`)
			if _, err := leases.Patch(ctx, "a", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				return nil, err
			}
		}
		options.TimeoutSeconds = &seconds
		return leases.Watch(ctx, options)
	}}
	last, err := watchtools.Until(ctx, created.ResourceVersion, source, func(event watch.Event) (bool, error) {
		lease, isLease := event.Object.(*coordinationv1.Lease)
		return isLease && *lease.Spec.HolderIdentity == "other", nil
	})
	must(t, err)
	expectEvent(t, *last, watch.Modified, "a")
}
