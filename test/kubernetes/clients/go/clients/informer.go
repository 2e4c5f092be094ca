package main

import (
	"bufio"
	"context"
	"net/http"
	"os"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/coordination/v1"
	"k8s.io/client-go/tools/cache"

	"leasehold.dev/clients/connect"
)

// inform keeps the leases of a namespace in a cache until SIGTERM: NAMESPACE.
//
// It tells of each event that its handlers get and of each request it makes. At each line of input it prints what it has in its cache, and
// what a list says.
func inform(ctx context.Context, args []string) error {
	namespace := args[0]
	client, err := connect.Client(sayRequest)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	leases := factory.Coordination().V1().Leases()
	informer := leases.Informer()
	handled, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { sayLease("added", object) },
		UpdateFunc: func(_, object any) { sayLease("updated", object) },
		DeleteFunc: func(object any) { sayLease("deleted", object) },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), handled.HasSynced)
	connect.Say("synced", nil)
	unobserved, err := connect.Client(nil)
	if err != nil {
		return err
	}
	go answer(ctx, leases.Lister().Leases(namespace), unobserved, namespace)
	<-ctx.Done()
	factory.Shutdown()
	return nil
}

func sayRequest(request *http.Request, response *http.Response) {
	query := request.URL.Query()
	connect.Say("request", map[string]any{
		"watch":         query.Get("watch") != "",
		"initialEvents": query.Get("sendInitialEvents") == "true",
		"version":       query.Get("resourceVersion"),
		"status":        response.StatusCode,
		"type":          response.Header.Get("Content-Type"),
	})
}

func sayLease(event string, object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	lease := object.(*coordinationv1.Lease)
	connect.Say(event, map[string]any{"name": lease.Name, "version": lease.ResourceVersion})
}

func answer(ctx context.Context, cached listers.LeaseNamespaceLister, client kubernetes.Interface, namespace string) {
	for questions := bufio.NewScanner(os.Stdin); questions.Scan(); {
		fromCache, err := cached.List(labels.Everything())
		if err != nil {
			connect.Die(err)
		}
		list, err := client.CoordinationV1().Leases(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			connect.Die(err)
		}
		listed := make([]*coordinationv1.Lease, len(list.Items))
		for index := range list.Items {
			listed[index] = &list.Items[index]
		}
		connect.Say("state", map[string]any{"cache": byName(fromCache), "list": byName(listed)})
	}
}

func byName(leases []*coordinationv1.Lease) map[string]*coordinationv1.Lease {
	all := map[string]*coordinationv1.Lease{}
	for _, lease := range leases {
		all[lease.Name] = lease
	}
	return all
}
