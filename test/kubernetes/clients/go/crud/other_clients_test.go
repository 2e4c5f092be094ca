package crud

import (
	"context"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"

	"leasehold.dev/clients/connect"
)

var resource = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	config, err := connect.Config()
	must(t, err)
	client, err := discovery.NewDiscoveryClientForConfig(config)
	must(t, err)
	version, err := client.ServerVersion()
	must(t, err)
	if !strings.Contains(version.GitVersion, "leasehold") {
		t.Errorf("got %v", version)
	}
	groups, err := restmapper.GetAPIGroupResources(client)
	must(t, err)
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(schema.GroupKind{Group: "coordination.k8s.io", Kind: "Lease"})
	must(t, err)
	equal(t, "resource", mapping.Resource, resource)
	equal(t, "scope", mapping.Scope.Name(), meta.RESTScopeNameNamespace)
	// In protobuf, whatever was asked for.
	document, err := client.OpenAPISchema()
	must(t, err)
	if document.GetInfo().GetTitle() == "" || len(document.GetDefinitions().GetAdditionalProperties()) == 0 {
		t.Errorf("got %v", document.GetInfo())
	}
}

func TestDynamicClient(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	config, err := connect.Config()
	must(t, err)
	client, err := dynamic.NewForConfig(config)
	must(t, err)
	leases := client.Resource(resource).Namespace("crud-" + rand.String(8))
	lease := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1",
		"kind":       "Lease",
		"metadata":   map[string]any{"name": "a"},
		"spec":       map[string]any{"holderIdentity": "me", "renewTime": "2024-01-02T03:04:05.678901Z"},
	}}
	_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
	must(t, err)
	events, err := leases.Watch(ctx, metav1.ListOptions{})
	must(t, err)
	defer events.Stop()
	added := next(ctx, t, events)
	equal(t, "event", added.Type, watch.Added)
	list, err := leases.List(ctx, metav1.ListOptions{})
	must(t, err)
	equal(t, "number of leases", len(list.Items), 1)
	renewed, _, err := unstructured.NestedString(list.Items[0].Object, "spec", "renewTime")
	must(t, err)
	equal(t, "renewed", renewed, "2024-01-02T03:04:05.678901Z")
	lease.SetLabels(map[string]string{"app": "x"})
	applied, err := leases.Apply(ctx, "a", lease, metav1.ApplyOptions{FieldManager: "mine", Force: true})
	must(t, err)
	equal(t, "label", applied.GetLabels()["app"], "x")
	must(t, leases.Delete(ctx, "a", metav1.DeleteOptions{}))
}

func TestMetadataClient(t *testing.T) {
	t.Parallel()
	ctx, leases := leasesOf(t)
	created := create(ctx, t, leases, leaseOf("a", "me", map[string]string{"app": "x"}))
	config, err := connect.Config()
	must(t, err)
	client, err := metadata.NewForConfig(config)
	must(t, err)
	only := client.Resource(resource).Namespace(created.Namespace)
	one, err := only.Get(ctx, "a", metav1.GetOptions{})
	must(t, err)
	equal(t, "uid", one.UID, created.UID)
	list, err := only.List(ctx, metav1.ListOptions{LabelSelector: "app"})
	must(t, err)
	equal(t, "number of leases", len(list.Items), 1)
	events, err := only.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	must(t, err)
	defer events.Stop()
	_, err = only.Patch(ctx, "a", types.MergePatchType, []byte(`{"metadata":{"labels":{"app":"y"}}}`), metav1.PatchOptions{})
	must(t, err)
	event := next(ctx, t, events)
	changed, isMetadata := event.Object.(*metav1.PartialObjectMetadata)
	if !isMetadata || event.Type != watch.Modified || changed.Labels["app"] != "y" {
		t.Errorf("got %s %v", event.Type, event.Object)
	}
	must(t, only.Delete(ctx, "a", metav1.DeleteOptions{}))
	equal(t, "event", next(ctx, t, events).Type, watch.Deleted)
}

func TestNamespacesAndReviews(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	client, err := connect.Client(nil)
	must(t, err)
	name := "crud-" + rand.String(8)
	created, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, err)
	equal(t, "name", created.Name, name)
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	must(t, err)
	if len(list.Items) == 0 {
		t.Error("there are none")
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: name, Verb: "update", Group: resource.Group, Resource: resource.Resource},
	}}
	answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	must(t, err)
	equal(t, "allowed", answer.Status.Allowed, true)
}
