import { describe, expect, it } from 'vitest';
import { entryPoints, signatures } from './surface.js';

/** So that a change of what users see shows in a diff. `npx vitest run test/packaging/api.test.ts --update` writes the files. */
describe('the public API', () => {
  it.each(entryPoints())('is as docs/api has it: %s', async (entry) => {
    const name = `sdk/${entry}`.replace(/\/index\.ts$/, '').replaceAll('/', '-');
    await expect(signatures(entry)).toMatchFileSnapshot(`../../docs/api/${name}.txt`);
  });
});
