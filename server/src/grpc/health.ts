import type { Server, ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

/**
 * The standard health service, `grpc.health.v1.Health`: for the server as a whole (`""`) and for the lease service. Not serving
 * while the store is being reopened, and once a drain has begun.
 */
export interface Health {
  setServing(serving: boolean): void;
  addTo(server: Server): void;
  /** Ends the watches of health, which would keep their connections open for ever. */
  endWatches(): void;
}

/** Makes a health service that says "not serving" until told otherwise. */
export function createHealth(): Health {
  const implementation = new HealthImplementation();
  const watches = new Set<HealthWatch>();
  const setServing = (serving: boolean): void => {
    for (const service of ['', 'leasehold.v1.LeaseService']) {
      implementation.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING');
    }
  };
  setServing(false);
  return {
    setServing,
    addTo(server) {
      implementation.addToServer({
        addService(service, handlers: UntypedServiceImplementation) {
          server.addService(service, { ...handlers, watch: tracked(handlers['watch'] as HandleWatch, watches) });
        },
      });
    },
    endWatches() {
      watches.forEach((watch) => {
        watch.end();
      });
    },
  };
}

type HealthWatch = ServerWritableStream<unknown, unknown>;
type HandleWatch = (call: HealthWatch) => void;

function tracked(handle: HandleWatch, watches: Set<HealthWatch>): HandleWatch {
  return (call) => {
    watches.add(call);
    call.on('cancelled', () => watches.delete(call));
    handle(call);
  };
}
