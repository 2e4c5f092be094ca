/** Keeps a view of the leases of a namespace, as the README of @kubernetes/client-node shows it, until it is killed. */
import { CoordinationV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { seen, tell } from './tell.mjs';

const [namespace] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromDefault();
const leases = config.makeApiClient(CoordinationV1Api);

const list = async () => {
  const listed = await leases.listNamespacedLease({ namespace });
  tell('list', { names: listed.items.map(({ metadata }) => metadata.name) });
  return listed;
};
const informer = makeInformer(config, `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, list);
for (const verb of ['add', 'update', 'delete']) {
  informer.on(verb, (lease) => tell(verb, seen(lease)));
}
// The informer does not start over on its own.
informer.on('error', (error) => {
  tell('error', { code: error.code });
  setTimeout(() => void informer.start(), 100);
});
await informer.start();
tell('started');
