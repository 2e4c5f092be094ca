import { describe, expect, it } from 'vitest';
import { entryPoints, packagesNeeded, publicSurface } from './surface.js';

describe('what users of the SDK meet', () => {
  const surface = publicSurface();

  it('is looked at through every entry point', () => {
    expect(entryPoints()).toEqual(['index.ts', 'testing/index.ts']);
    const names = surface.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['Client', 'Client.acquire', 'AcquireOptions.waitMs', 'HeldLease.signal', 'Lease']),
    );
    expect(names).not.toContain('HeldLease.believed');
  });

  it('has a docstring, every one', () => {
    expect(surface.filter(({ documented }) => !documented).map(({ place, name }) => `${place} ${name}`)).toEqual([]);
  });

  it('can be named: each type of a signature is exported', () => {
    expect(surface.filter(({ exported }) => !exported).map(({ place, name }) => `${place} ${name}`)).toEqual([]);
  });

  it.each(entryPoints())('needs no types of other packages: %s', (entry) => {
    expect(packagesNeeded(entry)).toEqual(entry.startsWith('testing/') ? ['core', 'sdk'] : ['sdk']);
  });
});
