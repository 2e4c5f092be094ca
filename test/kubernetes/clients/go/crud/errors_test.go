package crud

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	_, err := leases.Get(ctx, "none", metav1.GetOptions{})
	expectError(t, err, apierrors.IsNotFound, `leases.coordination.k8s.io "none" not found`)
	create(ctx, t, leases, leaseOf("a", "me", nil))
	_, err = leases.Create(ctx, leaseOf("a", "me", nil), metav1.CreateOptions{})
	expectError(t, err, apierrors.IsAlreadyExists, `leases.coordination.k8s.io "a" already exists`)
	_, err = leases.Create(ctx, leaseOf("No_Name", "me", nil), metav1.CreateOptions{})
	expectError(t, err, apierrors.IsInvalid, `metadata.name: Invalid value: "No_Name"`)
	_, err = leases.Create(ctx, leaseOf("b", "me", map[string]string{"_": "x"}), metav1.CreateOptions{})
	expectError(t, err, apierrors.IsInvalid, "metadata.labels")

	timeless := leaseOf("b", "me", nil)
	zero := int32(0)
	timeless.Spec.LeaseDurationSeconds = &zero
	timeless.Spec.LeaseTransitions = new(int32)
	*timeless.Spec.LeaseTransitions = -1
	_, err = leases.Create(ctx, timeless, metav1.CreateOptions{})
	expectError(t, err, apierrors.IsInvalid, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0")
	if status, isStatus := err.(apierrors.APIStatus); !isStatus || len(status.Status().Details.Causes) != 2 {
		t.Errorf("got %v", err)
	}

	huge := leaseOf("b", "me", nil)
	huge.Annotations = map[string]string{"a": strings.Repeat("x", 4<<20)}
	_, err = leases.Create(ctx, huge, metav1.CreateOptions{})
	expectError(t, err, apierrors.IsRequestEntityTooLargeError, "limit is 3145728")
	_, err = leases.Get(ctx, "a", metav1.GetOptions{})
	must(t, err)
}
