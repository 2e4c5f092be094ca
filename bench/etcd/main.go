// Command etcd is etcd's own server, built from its Go module: the peer that the benchmark measures beside.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
