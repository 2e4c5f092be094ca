"""Stands for election until it is killed. Usage: elector.py NAMESPACE LEASE IDENTITY, with a kubeconfig in the home."""

import logging
import sys
import threading

from kubernetes import config
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from tell import tell


class Telling(logging.Handler):
    def emit(self, record):
        tell("log", text=record.getMessage())


logging.getLogger("leaderelection").setLevel(logging.INFO)
logging.getLogger("leaderelection").addHandler(Telling())

namespace, name, identity = sys.argv[1:]
config.load_kube_config()


def lead():
    tell("leading")
    threading.Event().wait()


election = electionconfig.Config(
    LeaseLock(name, namespace, identity),
    lease_duration=5,
    renew_deadline=4,
    retry_period=1,
    onstarted_leading=lead,
    onstopped_leading=lambda: tell("stopped"),
)
leaderelection.LeaderElection(election).run()
