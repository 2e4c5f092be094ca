import type { TestProject } from 'vitest/node';
import { EtcdProcess, withoutEtcd } from '../../support/etcd-process.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the etcd is on which servers of these tests keep their leases; absent: they keep them in memory or in a file. */
    etcd?: string;
  }
}

/** An etcd for a run of the SDK's tests; without its program they run as they always do. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (withoutEtcd !== '') return undefined;
  const etcd = await EtcdProcess.start();
  project.provide('etcd', etcd.endpoint);
  return () => etcd.dispose();
}
