import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const dockerfile = readFileSync(new URL('Dockerfile', root), 'utf8');
const ignored = readFileSync(new URL('.dockerignore', root), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

/** What `COPY` takes out of the repository; what it takes out of another stage is not there before a build. */
const sources = dockerfile
  .split('\n')
  .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
  .flatMap((line) => line.split(/\s+/).slice(1, -1));

describe('the Dockerfile', () => {
  it.each(sources)('copies %s, which exists', (source) => {
    expect(existsSync(fileURLToPath(new URL(source, root)))).toBe(true);
  });

  it('copies nothing that .dockerignore leaves out', () => {
    const leftOut = sources.filter((source) => ignored.includes(source.split('/')[0]!));
    expect(leftOut).toEqual([]);
  });

  it('copies the built form of every workspace and its package.json', () => {
    const { workspaces } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { workspaces: string[] };
    for (const workspace of workspaces) {
      expect(dockerfile).toContain(`COPY --from=build /app/${workspace}/dist ${workspace}/dist`);
      expect(dockerfile).toContain(`COPY ${workspace}/package.json ${workspace}/`);
    }
  });
});
