"""The dynamic client: it finds the resource in the discovery documents and knows no types.

Usage: dynamic.py NAMESPACE, with a kubeconfig in the home.
"""

import sys

from kubernetes import config, dynamic
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError
from tell import tell

namespace = sys.argv[1]
client = dynamic.DynamicClient(config.new_client_from_config())
leases = client.resources.get(api_version="coordination.k8s.io/v1", kind="Lease")
tell("found", name=leases.name, namespaced=leases.namespaced, verbs=leases.verbs)
tell("searched", kinds=sorted({each.kind for each in client.resources.search(group="coordination.k8s.io")}))


def lease(**spec):
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "one"}, "spec": spec}


created = leases.create(namespace=namespace, body=lease(holderIdentity="a", leaseDurationSeconds=30))
tell("created", holder=created.spec.holderIdentity)
merge = {"metadata": {"labels": {"team": "red"}}}
patched = leases.patch(namespace=namespace, name="one", body=merge, content_type="application/merge-patch+json")
tell("patched", labels=patched.metadata.labels.to_dict())
try:
    leases.server_side_apply(namespace=namespace, body=lease(leaseDurationSeconds=7), field_manager="applier")
except ConflictError as error:
    tell("not applied", code=error.status, summary=error.summary())
applied = leases.server_side_apply(
    namespace=namespace, body=lease(leaseDurationSeconds=7), field_manager="applier", force_conflicts=True
)
tell("applied", seconds=applied.spec.leaseDurationSeconds)
tell("listed", names=[each.metadata.name for each in leases.get(namespace=namespace, label_selector="team=red").items])

for event in leases.watch(namespace=namespace, timeout=1):
    tell("watched", type=event["type"], name=event["object"].metadata.name)
tell("watch ended")

leases.delete(namespace=namespace, name="one")
try:
    leases.get(namespace=namespace, name="one")
except NotFoundError as error:
    tell("deleted", code=error.status)
