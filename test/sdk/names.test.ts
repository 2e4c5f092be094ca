import { checkName } from '@leasehold/core';
import { holderName, InvalidError, leaseName, nodeLeaseName } from '@leasehold/sdk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** What the server takes for a name. */
function isTaken(name: string): boolean {
  checkName('default', name);
  return true;
}

const words = fc.array(fc.stringMatching(/^[A-Za-z0-9]{1,8}$/), { minLength: 1, maxLength: 4 });
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }),
  fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }),
  fc.stringMatching(/^[a-z0-9.-]{1,20}$/),
  words.map((list) => list.join(' ')),
);

describe('the name of a lease', () => {
  it('is that of the component, readable as it is', () => {
    expect(leaseName({ component: 'Example Foo' })).toBe('example-foo');
    expect(leaseName({ component: 'example-foo' })).toBe('example-foo');
    expect(leaseName({ component: 'billing.example.com' })).toBe('billing.example.com');
  });

  it('never changes from one version to the next', () => {
    // Computed apart: SHA-256 over each part after its length in four bytes, 10 bytes of it in base 32.
    expect(leaseName({ component: 'Example Foo', deployment: 'prod' })).toBe('example-foo-b3gndafl6jw7hjcq');
    expect(leaseName({ component: 'a-b', deployment: 'c' })).toBe('a-b-paqi6k2qts2l2ogj');
    expect(leaseName({ component: 'a', deployment: 'b-c' })).toBe('a-leahisctmmlvg7v6');
    expect(leaseName({ component: 'C++' })).toBe('c-lvtlrplmfhtiuj6c');
    expect(leaseName({ component: 'Größe ändern' })).toBe('gro-e-andern-hpu6pbtkjqq6f5ee');
    expect(leaseName({ component: '日本' })).toBe('b3frlpbipfmqcfka');
    expect(leaseName({ component: 'x'.repeat(254) })).toBe(`${'x'.repeat(46)}-6csg6wsydhp46zsu`);
  });

  it('is one for a component however its words are written', () => {
    fc.assert(
      fc.property(words, fc.option(text, { nil: undefined }), (list, deployment) => {
        const names = [list.join(' '), list.join('-').toUpperCase(), list.join('_').toLowerCase()];
        expect(new Set(names.map((component) => leaseName({ component, deployment }))).size).toBe(1);
      }),
    );
  });

  it('is one that the server takes, of at most 63 characters where it has a hash', () => {
    fc.assert(
      fc.property(text, fc.option(text, { nil: undefined }), (component, deployment) => {
        const name = leaseName({ component, deployment });
        expect(isTaken(name)).toBe(true);
        if (deployment !== undefined) expect(name.length).toBeLessThanOrEqual(63);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is what a valid name is already', () => {
    const label = /^[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?$/;
    fc.assert(
      fc.property(fc.array(fc.stringMatching(label), { minLength: 1, maxLength: 4 }), (labels) => {
        expect(leaseName({ component: labels.join('.') })).toBe(labels.join('.'));
        expect(nodeLeaseName(labels.join('.'))).toBe(labels.join('.'));
      }),
    );
  });

  it('is another one for every other component and deployment', () => {
    const names = new Map<string, string>();
    const clashes: string[] = [];
    for (const { component, deployment } of pairs(100_000)) {
      // Case and what joins words make no difference, and are no clash.
      const identity = JSON.stringify([component.toLowerCase().replaceAll(/[ _]+/g, '-'), deployment]);
      const name = leaseName({ component, deployment });
      const known = names.get(name) ?? identity;
      if (known !== identity) clashes.push(`${known} and ${identity}: ${name}`);
      names.set(name, known);
    }
    expect(clashes).toEqual([]);
    expect(names.size).toBeGreaterThan(85_000);
  });

  it('keeps apart what looks alike once it is joined or cut', () => {
    const alike = [
      { component: 'a-b', deployment: 'c' },
      { component: 'a', deployment: 'b-c' },
      { component: 'a-b-c' },
      { component: 'c++' },
      { component: 'c--' },
      { component: 'c' },
      { component: 'x'.repeat(254) },
      { component: 'x'.repeat(255) },
      { component: 'foo', deployment: '1' },
      { component: 'foo1', deployment: '\u0000' },
      { component: 'foo', deployment: 'é' },
      { component: 'foo', deployment: 'e\u0301' },
      { component: 'foo', deployment: 'Prod' },
      { component: 'foo', deployment: 'prod' },
      { component: 'foo', deployment: 'prod ' },
    ];
    expect(new Set(alike.map(leaseName)).size).toBe(alike.length);
  });

  it('needs text', () => {
    for (const parts of [{ component: '' }, { component: 'foo', deployment: '' }, { component: '\uD800' }]) {
      expect(() => leaseName(parts)).toThrow(InvalidError);
    }
    expect(() => leaseName({ component: 'foo', deployment: '\uDC00' })).toThrow(
      /^Invalid deployment: must be well-formed Unicode, got/,
    );
  });
});

describe('the name of a node', () => {
  it('is that of the host in lower case', () => {
    expect(nodeLeaseName('node-17')).toBe('node-17');
    expect(nodeLeaseName('MacBook-Pro.local')).toBe('macbook-pro.local');
  });

  it('has a hash where a lease cannot have the name', () => {
    expect(nodeLeaseName('node_17')).toBe('node-17-zasyfkal3rroqmqu');
    expect(nodeLeaseName('Node_17')).toBe(nodeLeaseName('node_17'));
    expect(nodeLeaseName('node_17')).not.toBe(nodeLeaseName('node 17'));
    expect(() => nodeLeaseName('')).toThrow(InvalidError);
    fc.assert(fc.property(text, (host) => isTaken(nodeLeaseName(host))));
  });
});

describe('the name of a holder', () => {
  it('is the host and a UUID, another one each time', () => {
    expect(holderName()).toMatch(/^.+_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(holderName()).not.toBe(holderName());
  });
});

/** Pairs that are near each other: few letters, short words, and now and then no deployment. */
function* pairs(count: number): Generator<{ component: string; deployment?: string }> {
  const one = fc.stringMatching(/^[abAB.+ _-]{1,9}$/);
  const pair = fc.record({ component: one, deployment: one }, { requiredKeys: ['component'] });
  yield* fc.sample(pair, { numRuns: count, seed: 17 });
}
