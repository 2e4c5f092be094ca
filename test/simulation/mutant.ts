import { plantFaults, type Fault } from '../support/mutants.js';
import { loadKit, type Kit } from './kit.js';

/** The packages with faults in them: the SDK, or the server and core, or all of them. */
export async function plant(name: string, faults: readonly Fault[]): Promise<Kit> {
  const inSdk = faults.filter((fault) => fault.package === 'sdk');
  const below = faults.filter((fault) => fault.package !== 'sdk');
  const sdk = inSdk.length === 0 ? {} : { sdk: (await plantFaults(name, 'sdk', inSdk)).package };
  if (below.length === 0) return loadKit(sdk);
  const { package: server, core } = await plantFaults(name, 'server', below);
  return loadKit({ server, core, ...sdk });
}
