import { plantFaults, type Fault } from '../../support/mutants.js';
import type { Kit } from './kit.js';

/** The SDK with faults in it, or in the core under it. */
export async function plant(name: string, faults: readonly Fault[]): Promise<Kit> {
  const { package: sdk } = await plantFaults(name, 'sdk', faults);
  const { createClient } = (await import(new URL('dist/index.js', sdk).href)) as Kit;
  const { FakeClock, TestServer } = (await import(new URL('dist/testing/index.js', sdk).href)) as Kit;
  return { createClient, FakeClock, TestServer };
}
