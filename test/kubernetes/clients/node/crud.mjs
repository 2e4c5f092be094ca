/**
 * What a program does with leases through @kubernetes/client-node, one call after another.
 * Usage: crud.mjs NAMESPACE, with a kubeconfig in the home.
 */
import {
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  setHeaderOptions,
  V1MicroTime,
} from '@kubernetes/client-node';
import { seen, tell } from './tell.mjs';

const [namespace] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromDefault();
const leases = config.makeApiClient(CoordinationV1Api);

await typed();
await lists();
await patches();
await generic();
await deletes();

async function typed() {
  const renewTime = new V1MicroTime();
  const spec = { holderIdentity: 'a', leaseDurationSeconds: 30, acquireTime: renewTime, renewTime };
  const body = { metadata: { name: 'one', labels: { team: 'red' } }, spec };
  const created = await leases.createNamespacedLease({ namespace, body });
  tell('created', { ...seen(created), wrote: renewTime.toISOString() });
  tell('created again', await refusal(() => leases.createNamespacedLease({ namespace, body })));

  const read = await leases.readNamespacedLease({ namespace, name: 'one' });
  tell('read', seen(read));
  read.spec.holderIdentity = 'b';
  const replaced = await leases.replaceNamespacedLease({ namespace, name: 'one', body: read });
  tell('replaced', seen(replaced));
  // It still has the version that was read.
  tell('replaced too late', await refusal(() => leases.replaceNamespacedLease({ namespace, name: 'one', body: read })));
  tell('missing', await refusal(() => leases.readNamespacedLease({ namespace, name: 'none' })));
}

async function lists() {
  for (const name of ['three', 'two']) {
    await leases.createNamespacedLease({ namespace, body: { metadata: { name, labels: { team: 'blue' } } } });
  }
  const names = ({ items }) => items.map(({ metadata }) => metadata.name);
  const first = await leases.listNamespacedLease({ namespace, limit: 2 });
  const rest = await leases.listNamespacedLease({ namespace, limit: 2, _continue: first.metadata._continue });
  tell('listed', { pages: [names(first), names(rest)], left: first.metadata.remainingItemCount });
  tell('selected', { names: names(await leases.listNamespacedLease({ namespace, labelSelector: 'team=blue' })) });
  tell('everywhere', { names: names(await leases.listLeaseForAllNamespaces({ fieldSelector: 'metadata.name=two' })) });
  const { items } = await config.makeApiClient(CoreV1Api).listNamespace();
  tell('namespaces', { names: items.map(({ metadata }) => metadata.name) });
}

async function patches() {
  const patch = (type, body, more = {}) =>
    leases.patchNamespacedLease({ namespace, name: 'two', body, ...more }, setHeaderOptions('Content-Type', type));
  tell('merged', seen(await patch(PatchStrategy.MergePatch, { spec: { holderIdentity: 'm', leaseDurationSeconds: 5 } })));
  tell(
    'merged strategically',
    seen(await patch(PatchStrategy.StrategicMergePatch, { metadata: { annotations: { note: 's' } } })),
  );
  tell('patched', seen(await patch(PatchStrategy.JsonPatch, [{ op: 'replace', path: '/spec/leaseDurationSeconds', value: 6 }])));
  const applied = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'two' },
    spec: { leaseDurationSeconds: 7 },
  };
  const fieldManager = 'applier';
  tell('not applied', await refusal(() => patch(PatchStrategy.ServerSideApply, applied, { fieldManager })));
  tell('applied', seen(await patch(PatchStrategy.ServerSideApply, applied, { fieldManager, force: true })));
}

/** By kind instead of by type: it looks up the resource in the discovery documents. */
async function generic() {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const head = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'four', namespace } };
  await objects.create({ ...head, spec: { holderIdentity: 'g', renewTime: new Date() } });
  const read = await objects.read(head);
  const patched = await objects.patch({ ...head, metadata: { ...head.metadata, labels: { team: 'green' } } });
  const { items } = await objects.list(
    'coordination.k8s.io/v1',
    'Lease',
    namespace,
    undefined,
    undefined,
    undefined,
    undefined,
    'team=green',
  );
  tell('generic', {
    read: read.spec.holderIdentity,
    labels: patched.metadata.labels,
    listed: items.map(({ metadata }) => metadata.name),
  });
  await objects.delete(head);
}

async function deletes() {
  const stale = { preconditions: { resourceVersion: '1' } };
  tell('kept', await refusal(() => leases.deleteNamespacedLease({ namespace, name: 'one', body: stale })));
  const { status, details } = await leases.deleteNamespacedLease({ namespace, name: 'one' });
  tell('deleted', { status, kind: details.kind, name: details.name });
  await leases.deleteCollectionNamespacedLease({ namespace, labelSelector: 'team=blue' });
  tell('left', { names: (await leases.listNamespacedLease({ namespace })).items.map(({ metadata }) => metadata.name) });
}

/** The code and the reason of the refusal. */
async function refusal(call) {
  try {
    await call();
    return {};
  } catch (error) {
    return { code: error.code, reason: JSON.parse(error.body).reason };
  }
}
