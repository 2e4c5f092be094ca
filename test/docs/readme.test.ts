import { readFileSync } from 'node:fs';
import { errorReasons, LeaseError } from '@leasehold/core';
import { helpText } from '@leasehold/server';
import { describe, expect, it } from 'vitest';
import { blocksOf, complaintsAbout } from './snippets.js';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Every reason that a client can meet, as `STATUS REASON`. A caller that is gone meets none. */
const reasons = errorReasons
  .map((reason) => `${new LeaseError(reason, '').code} ${reason}`)
  .filter((line) => !line.startsWith('CANCELLED'));

describe('the documentation of errors', () => {
  it('names every reason with its status in the README', () => {
    const rows = [...read('README.md').matchAll(/^\| `([A-Z_]+)` +\| ([`A-Z_ ]+)\|$/gm)];
    const documented = rows.flatMap(([, status = '', cell = '']) =>
      [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, reason]) => `${status} ${reason ?? ''}`),
    );
    expect(documented.sort()).toEqual([...reasons].sort());
  });

  it('names every reason with its status in the contract', () => {
    const comment = read('proto/leasehold/v1/errors.proto').replace(/\n\/\/ /g, ' ');
    const documented = comment.split(/\b(?=[A-Z_]+: `)/).flatMap((part) => {
      const status = /^([A-Z_]+): /.exec(part)?.[1] ?? '';
      return status === '' ? [] : [...part.matchAll(/`([A-Z_]+)`/g)].map(([, reason]) => `${status} ${reason ?? ''}`);
    });
    expect(documented.sort()).toEqual([...reasons].sort());
  });
});

describe('the README', () => {
  it('names options with the defaults that --help names', () => {
    const rows = [...read('README.md').matchAll(/^\| `(--[a-z-]+)` +\| `([^`]+)`/gm)];
    expect(rows.length).toBeGreaterThanOrEqual(4);
    const help = helpText().replace(/\s+/g, ' ');
    for (const [, flag = '', value = ''] of rows) {
      expect(help).toMatch(new RegExp(`${flag} .*?default ${value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')},`));
    }
  });
});

describe.each(['README.md', 'docs/sdk.md', 'sdk/README.md'])('the TypeScript in %s', (document) => {
  it('compiles', () => {
    expect(blocksOf(document).length).toBeGreaterThan(0);
    expect(complaintsAbout(document)).toEqual([]);
  });
});
