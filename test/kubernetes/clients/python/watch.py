"""Watches the leases of a namespace and tells each event, until one is deleted. Usage: watch.py NAMESPACE, with a kubeconfig in the home."""

import sys

from kubernetes import client, config, watch
from tell import seen, tell

namespace = sys.argv[1]
config.load_kube_config()
leases = client.CoordinationV1Api()

listed = leases.list_namespaced_lease(namespace)
tell("listed", names=[lease.metadata.name for lease in listed.items])
watching = watch.Watch()
# It goes on by itself when the server ends a watch, from the last version that it saw.
for event in watching.stream(leases.list_namespaced_lease, namespace, resource_version=listed.metadata.resource_version):
    tell(event["type"], **seen(event["object"]))
    if event["type"] == "DELETED":
        watching.stop()
tell("ended")
