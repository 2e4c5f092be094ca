// Package connect is what the programs here have in common: a client as its users make one, and lines of JSON to tell of what happens.
package connect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config is read from the kubeconfig that KUBECONFIG names. BODIES=json asks for JSON; otherwise client-go sends what it sends of itself,
// which for its typed clients is protobuf.
func Config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	if os.Getenv("BODIES") == "json" {
		config.ContentType = "application/json"
		config.AcceptContentTypes = "application/json"
	}
	// The limit of five requests a second is for clusters.
	config.QPS = -1
	return config, nil
}

// Client is a typed client whose requests and answers `wire` is told of.
func Client(wire func(*http.Request, *http.Response)) (kubernetes.Interface, error) {
	config, err := Config()
	if err != nil {
		return nil, err
	}
	if wire != nil {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return observed(func(request *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(request)
				if err == nil {
					wire(request, response)
				}
				return response, err
			})
		})
	}
	return kubernetes.NewForConfig(config)
}

type observed func(*http.Request) (*http.Response, error)

func (o observed) RoundTrip(request *http.Request) (*http.Response, error) { return o(request) }

var printing sync.Mutex

// Say prints an event with what belongs to it as a line of JSON: who has started the program reads them.
func Say(event string, more map[string]any) {
	line := map[string]any{"event": event}
	for key, value := range more {
		line[key] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

// Die ends the program over an error that it can do nothing about.
func Die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
