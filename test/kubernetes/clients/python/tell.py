"""What all programs here use: telling the test what they see."""

import json
import sys
import threading

from kubernetes.client.exceptions import ApiException

_lock = threading.Lock()


def tell(event, **more):
    """Tells the test something: one line of JSON."""
    with _lock:
        sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
        sys.stdout.flush()


def seen(lease):
    """Of a lease as an object of the client, what the test looks at."""
    spec = lease.spec
    return {
        "name": lease.metadata.name,
        "version": lease.metadata.resource_version,
        "holder": spec.holder_identity,
        "seconds": spec.lease_duration_seconds,
        "renewTime": spec.renew_time.isoformat() if spec.renew_time else None,
        "annotations": lease.metadata.annotations,
    }


def refusal(call):
    """The code and the reason that a call is refused with."""
    try:
        call()
        return {}
    except ApiException as error:
        return {"code": error.status, "reason": json.loads(error.body)["reason"]}
