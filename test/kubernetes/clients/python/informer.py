"""Keeps a view of the leases of a namespace, until it is killed. Usage: informer.py NAMESPACE, with a kubeconfig in the home."""

import sys
import time

from kubernetes import client, config
from kubernetes.informer import SharedInformer
from tell import seen, tell


def wait(error):
    # On its own it tries again without a pause.
    tell("error", kind=type(error).__name__)
    time.sleep(0.2)


config.load_kube_config()
informer = SharedInformer(client.CoordinationV1Api().list_namespaced_lease, namespace=sys.argv[1])
for kind in ["ADDED", "MODIFIED", "DELETED"]:
    informer.add_event_handler(kind, lambda lease, kind=kind: tell(kind, **seen(lease)))
informer.add_event_handler("ERROR", wait)
informer.start()
sys.stdin.read()
