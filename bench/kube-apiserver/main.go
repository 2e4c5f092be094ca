// Command kube-apiserver is the API server of Kubernetes, built from its Go module, to be measured beside Leasehold.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
