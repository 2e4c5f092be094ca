package crud

import (
	"context"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"leasehold.dev/clients/connect"
)

func TestListWithSelectors(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	createAll(ctx, t, leases, 4)
	create(ctx, t, leases, leaseOf("plain", "me", nil))
	for _, each := range []struct{ labels, fields, names string }{
		{"", "", "l000 l001 l002 l003 plain"},
		{"part=even", "", "l000 l002"},
		{"part!=even", "", "l001 l003 plain"},
		{"part in (odd, else)", "", "l001 l003"},
		{"part notin (odd)", "", "l000 l002 plain"},
		{"part", "", "l000 l001 l002 l003"},
		{"!part", "", "plain"},
		{"part=even", "metadata.name!=l000", "l002"},
		{"", "metadata.name=l003", "l003"},
	} {
		list, err := leases.List(ctx, metav1.ListOptions{LabelSelector: each.labels, FieldSelector: each.fields})
		must(t, err)
		equal(t, each.labels+";"+each.fields, namesOf(list), each.names)
	}
	_, err := leases.List(ctx, metav1.ListOptions{LabelSelector: "part in"})
	expectError(t, err, apierrors.IsBadRequest, "unable to parse requirement")
	_, err = leases.List(ctx, metav1.ListOptions{FieldSelector: "spec.holderIdentity=me"})
	expectError(t, err, apierrors.IsBadRequest, `"spec.holderIdentity" is not a known field selector`)
}

func TestListInPages(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	createAll(ctx, t, leases, 7)
	first, err := leases.List(ctx, metav1.ListOptions{Limit: 3})
	must(t, err)
	equal(t, "the first page", namesOf(first), "l000 l001 l002")
	equal(t, "remaining", *first.RemainingItemCount, 4)

	// Pages are of one moment.
	must(t, leases.Delete(ctx, "l004", metav1.DeleteOptions{}))
	second, err := leases.List(ctx, metav1.ListOptions{Limit: 3, Continue: first.Continue})
	must(t, err)
	equal(t, "the second page", namesOf(second), "l003 l004 l005")
	equal(t, "version", second.ResourceVersion, first.ResourceVersion)

	pages := 0
	reader := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		pages++
		return leases.List(ctx, options)
	})
	reader.PageSize = 2
	var names []string
	must(t, reader.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		names = append(names, object.(*coordinationv1.Lease).Name)
		return nil
	}))
	equal(t, "all pages", strings.Join(names, " "), "l000 l001 l002 l003 l005 l006")
	equal(t, "number of pages", pages, 3)
}

func TestListOfVersions(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	old := create(ctx, t, leases, leaseOf("a", "me", nil))
	create(ctx, t, leases, leaseOf("b", "me", nil))
	list := func(version string, match metav1.ResourceVersionMatch) (string, error) {
		list, err := leases.List(ctx, metav1.ListOptions{ResourceVersion: version, ResourceVersionMatch: match})
		if err != nil {
			return "", err
		}
		return namesOf(list), nil
	}
	exactly, err := list(old.ResourceVersion, metav1.ResourceVersionMatchExact)
	must(t, err)
	equal(t, "exactly", exactly, "a")
	later, err := list(old.ResourceVersion, metav1.ResourceVersionMatchNotOlderThan)
	must(t, err)
	equal(t, "not older", later, "a b")
	whichever, err := list("0", "")
	must(t, err)
	equal(t, "whichever", whichever, "a b")

	_, err = list("1", metav1.ResourceVersionMatchExact)
	expectError(t, err, apierrors.IsResourceExpired, "")
}

func TestListOfTheFuture(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	namespace := create(ctx, t, leases, leaseOf("a", "me", nil)).Namespace
	client, err := connect.Client(nil)
	must(t, err)
	request := client.CoordinationV1().RESTClient().Get().Namespace(namespace).Resource("leases").
		Param("resourceVersion", "18446744073709551615")
	// Told when to come again, client-go does, ten times.
	err = request.MaxRetries(0).Do(ctx).Error()
	expectError(t, err, apierrors.IsTimeout, "Too large resource version")
	tooLarge := func(err error) bool { return apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) }
	expectError(t, err, tooLarge, "")
}
