package crud

import (
	"context"
	"maps"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apply "k8s.io/client-go/applyconfigurations/coordination/v1"
	typedv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/util/retry"
)

func TestCreateAndGet(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	wanted := leaseOf("a", "me", map[string]string{"app": "x"})
	wanted.Annotations = map[string]string{"note": "ü"}
	wanted.Finalizers = []string{"example.com/mine"}
	wanted.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n", UID: "u"}}
	created := create(ctx, t, leases, wanted)
	if created.UID == "" || created.ResourceVersion == "" || created.CreationTimestamp.IsZero() || len(created.ManagedFields) != 1 {
		t.Errorf("not filled in: %v", created.ObjectMeta)
	}
	equal(t, "manager", created.ManagedFields[0].Manager, "crud")
	equal(t, "state", created.Annotations["leasehold.dev/state"], "HELD")
	equal(t, "annotation", created.Annotations["note"], "ü")

	got, err := leases.Get(ctx, "a", metav1.GetOptions{})
	must(t, err)
	if !equality.Semantic.DeepEqual(got, created) {
		t.Errorf("read %v, created %v", got, created)
	}
	// Microseconds are what a MicroTime has.
	wanted.Spec.RenewTime.Time = wanted.Spec.RenewTime.Truncate(1000)
	wanted.Spec.AcquireTime.Time = wanted.Spec.AcquireTime.Truncate(1000)
	if !equality.Semantic.DeepEqual(got.Spec, wanted.Spec) || !maps.Equal(got.Labels, wanted.Labels) {
		t.Errorf("got %v, not %v", got.Spec, wanted.Spec)
	}
	if !equality.Semantic.DeepEqual(got.OwnerReferences, wanted.OwnerReferences) || got.Finalizers[0] != wanted.Finalizers[0] {
		t.Errorf("got %v, not %v", got.ObjectMeta, wanted.ObjectMeta)
	}
}

func TestCreateWithGeneratedNames(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	lease := leaseOf("", "me", nil)
	lease.GenerateName = "gen-"
	first, second := create(ctx, t, leases, lease), create(ctx, t, leases, lease)
	if !strings.HasPrefix(first.Name, "gen-") || len(first.Name) != len("gen-")+5 || first.Name == second.Name {
		t.Errorf("generated %q and %q", first.Name, second.Name)
	}
}

func TestDryRunAndFieldValidation(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	_, err := leases.Create(ctx, leaseOf("a", "me", nil), options)
	must(t, err)
	_, err = leases.Get(ctx, "a", metav1.GetOptions{})
	expectError(t, err, apierrors.IsNotFound, `leases.coordination.k8s.io "a" not found`)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	stale := create(ctx, t, leases, leaseOf("a", "me", nil))
	fresh := stale.DeepCopy()
	other := "other"
	fresh.Spec.HolderIdentity = &other
	fresh.Labels = map[string]string{"a": "b"}
	updated, err := leases.Update(ctx, fresh, metav1.UpdateOptions{})
	must(t, err)
	equal(t, "holder", *updated.Spec.HolderIdentity, "other")
	if updated.ResourceVersion == stale.ResourceVersion || updated.UID != stale.UID {
		t.Errorf("got %v", updated.ObjectMeta)
	}
	if token := updated.Annotations["leasehold.dev/token"]; token <= stale.Annotations["leasehold.dev/token"] {
		t.Errorf("the token did not rise to %s", token)
	}
	same, err := leases.Update(ctx, updated, metav1.UpdateOptions{})
	must(t, err)
	equal(t, "version of what has not changed", same.ResourceVersion, updated.ResourceVersion)

	_, err = leases.Update(ctx, stale, metav1.UpdateOptions{})
	expectError(t, err, apierrors.IsConflict, "the object has been modified; please apply your changes to the latest version")
	tries := 0
	must(t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		tries++
		_, err := leases.Update(ctx, stale, metav1.UpdateOptions{})
		stale.ResourceVersion = same.ResourceVersion
		return err
	}))
	equal(t, "tries", tries, 2)
}

func TestPatches(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	create(ctx, t, leases, leaseOf("a", "me", map[string]string{"app": "x"}))
	patch := func(patchType types.PatchType, body string) (*coordinationv1.Lease, error) {
		return leases.Patch(ctx, "a", patchType, []byte(body), metav1.PatchOptions{})
	}
	patched, err := patch(types.StrategicMergePatchType, `{"metadata":{"finalizers":["example.com/mine"]},"spec":{"leaseDurationSeconds":90}}`)
	must(t, err)
	equal(t, "duration", *patched.Spec.LeaseDurationSeconds, 90)
	equal(t, "holder", *patched.Spec.HolderIdentity, "me")
	patched, err = patch(types.MergePatchType, `{"metadata":{"labels":{"app":null,"b":"c"},"finalizers":null}}`)
	must(t, err)
	if !maps.Equal(patched.Labels, map[string]string{"b": "c"}) || len(patched.Finalizers) != 0 {
		t.Errorf("got %v", patched.ObjectMeta)
	}
	patched, err = patch(types.JSONPatchType, `[{"op":"test","path":"/metadata/labels/b","value":"c"},{"op":"remove","path":"/spec/holderIdentity"}]`)
	must(t, err)
	if patched.Spec.HolderIdentity != nil {
		t.Errorf("got %v", patched.Spec)
	}
	_, err = patch(types.JSONPatchType, `[{"op":"test","path":"/metadata/labels/b","value":"z"}]`)
	expectError(t, err, apierrors.IsInvalid, "the server rejected our request due to an error in our request")
	_, err = patch(types.MergePatchType, `{"metadata":{"resourceVersion":"1"}}`)
	expectError(t, err, apierrors.IsConflict, "the object has been modified")
	_, err = patch(types.MergePatchType, `{"spec":{"leaseDurationSeconds":0}}`)
	expectError(t, err, apierrors.IsInvalid, "must be greater than 0")
	_, err = leases.Patch(ctx, "none", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
	expectError(t, err, apierrors.IsNotFound, `"none" not found`)
}

func TestApply(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	// The client wants the namespace, which is the one of its path.
	wanted := apply.Lease("a", "").WithLabels(map[string]string{"app": "x"}).
		WithSpec(apply.LeaseSpec().WithHolderIdentity("me").WithLeaseDurationSeconds(30))
	wanted.Namespace = nil
	applied, err := leases.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "first"})
	must(t, err)
	equal(t, "holder", *applied.Spec.HolderIdentity, "me")

	other := apply.Lease("a", "").WithSpec(apply.LeaseSpec().WithHolderIdentity("other"))
	other.Namespace = nil
	_, err = leases.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "second"})
	expectError(t, err, apierrors.IsConflict, `conflict with "first": .spec.holderIdentity`)
	expectError(t, err, func(err error) bool { return apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict) }, "")
	forced, err := leases.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "second", Force: true})
	must(t, err)
	equal(t, "holder", *forced.Spec.HolderIdentity, "other")

	// What a manager has, client-go finds out from the managed fields.
	ofFirst, err := apply.ExtractLease(forced, "first")
	must(t, err)
	if ofFirst.Spec.HolderIdentity != nil || *ofFirst.Spec.LeaseDurationSeconds != 30 || ofFirst.Labels["app"] != "x" {
		t.Errorf("extracted %v", ofFirst)
	}
	ofFirst.Labels = nil
	ofFirst.Namespace = nil
	applied, err = leases.Apply(ctx, ofFirst, metav1.ApplyOptions{FieldManager: "first"})
	must(t, err)
	equal(t, "number of labels", len(applied.Labels), 0)
	equal(t, "holder", *applied.Spec.HolderIdentity, "other")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	created := create(ctx, t, leases, leaseOf("a", "me", nil))
	remove := func(conditions metav1.Preconditions) error {
		background := metav1.DeletePropagationBackground
		return leases.Delete(ctx, "a", metav1.DeleteOptions{Preconditions: &conditions, PropagationPolicy: &background})
	}
	uid, version := types.UID("another"), "1"
	expectError(t, remove(metav1.Preconditions{UID: &uid}), apierrors.IsConflict, "the UID in the precondition (another)")
	expectError(t, remove(metav1.Preconditions{ResourceVersion: &version}), apierrors.IsConflict, "ResourceVersion in the precondition (1)")
	must(t, remove(metav1.Preconditions{UID: &created.UID, ResourceVersion: &created.ResourceVersion}))
	expectError(t, remove(metav1.Preconditions{}), apierrors.IsNotFound, `leases.coordination.k8s.io "a" not found`)
	again := create(ctx, t, leases, leaseOf("a", "me", nil))
	if again.UID == created.UID {
		t.Error("has the same UID")
	}
}

func TestDeleteWithFinalizers(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	lease := leaseOf("a", "me", nil)
	lease.Finalizers = []string{"example.com/mine"}
	create(ctx, t, leases, lease)
	must(t, leases.Delete(ctx, "a", metav1.DeleteOptions{}))
	marked, err := leases.Get(ctx, "a", metav1.GetOptions{})
	must(t, err)
	if marked.DeletionTimestamp == nil {
		t.Error("is not marked")
	}
	marked.Finalizers = nil
	_, err = leases.Update(ctx, marked, metav1.UpdateOptions{})
	must(t, err)
	_, err = leases.Get(ctx, "a", metav1.GetOptions{})
	expectError(t, err, apierrors.IsNotFound, "not found")
}

func TestDeleteCollection(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	createAll(ctx, t, leases, 6)
	must(t, leases.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "part=even"}))
	expectNames(ctx, t, leases, "l001 l003 l005")
	must(t, leases.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=l003"}))
	expectNames(ctx, t, leases, "l001 l005")
	must(t, leases.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	expectNames(ctx, t, leases, "")
}

func expectNames(ctx context.Context, t *testing.T, leases typedv1.LeaseInterface, names string) {
	t.Helper()
	list, err := leases.List(ctx, metav1.ListOptions{})
	must(t, err)
	equal(t, "what is left", namesOf(list), names)
}
