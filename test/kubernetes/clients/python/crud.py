"""What a program does with leases through Python's kubernetes, one call after another.

Usage: crud.py NAMESPACE, with a kubeconfig in the home.
"""

import sys
from datetime import datetime, timezone

from kubernetes import client, config
from tell import refusal, seen, tell

namespace = sys.argv[1]
config.load_kube_config()
leases = client.CoordinationV1Api()


def lease(name, labels=None, **spec):
    return client.V1Lease(metadata=client.V1ObjectMeta(name=name, labels=labels), spec=client.V1LeaseSpec(**spec))


def names(found):
    return [each.metadata.name for each in found.items]


def write():
    now = datetime.now(timezone.utc)
    body = lease("one", {"team": "red"}, holder_identity="a", lease_duration_seconds=30, acquire_time=now, renew_time=now)
    tell("created", wrote=now.isoformat(), **seen(leases.create_namespaced_lease(namespace, body)))
    tell("created again", **refusal(lambda: leases.create_namespaced_lease(namespace, body)))

    read = leases.read_namespaced_lease("one", namespace)
    tell("read", **seen(read))
    read.spec.holder_identity = "b"
    tell("replaced", **seen(leases.replace_namespaced_lease("one", namespace, read)))
    # It still has the version that was read.
    tell("replaced too late", **refusal(lambda: leases.replace_namespaced_lease("one", namespace, read)))
    tell("missing", **refusal(lambda: leases.read_namespaced_lease("none", namespace)))


def list_them():
    for name in ["three", "two"]:
        leases.create_namespaced_lease(namespace, lease(name, {"team": "blue"}))
    first = leases.list_namespaced_lease(namespace, limit=2)
    rest = leases.list_namespaced_lease(namespace, limit=2, _continue=first.metadata._continue)
    tell("listed", pages=[names(first), names(rest)], left=first.metadata.remaining_item_count)
    tell("selected", names=names(leases.list_namespaced_lease(namespace, label_selector="team in (blue, green)")))
    tell("everywhere", names=names(leases.list_lease_for_all_namespaces(field_selector="metadata.name=two")))
    tell("namespaces", names=names(client.CoreV1Api().list_namespace()))
    tell("version", version=client.VersionApi().get_code().git_version)


def patch():
    # A dict goes as a strategic merge patch, a list as a JSON patch.
    patched = leases.patch_namespaced_lease("two", namespace, {"spec": {"holderIdentity": "m", "leaseDurationSeconds": 5}})
    tell("merged", **seen(patched))
    change = [{"op": "replace", "path": "/spec/leaseDurationSeconds", "value": 6}]
    tell("patched", **seen(leases.patch_namespaced_lease("two", namespace, change)))


def delete():
    stale = client.V1DeleteOptions(preconditions=client.V1Preconditions(resource_version="1"))
    tell("kept", **refusal(lambda: leases.delete_namespaced_lease("one", namespace, body=stale)))
    deleted = leases.delete_namespaced_lease("one", namespace)
    tell("deleted", **{key: deleted["details"][key] for key in ["kind", "name"]}, status=deleted["status"])
    leases.delete_collection_namespaced_lease(namespace, label_selector="team=blue")
    tell("left", names=names(leases.list_namespaced_lease(namespace)))


write()
list_them()
patch()
delete()
