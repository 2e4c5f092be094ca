import { arch, platform, version as nodeVersion } from 'node:process';

/**
 * `/version` (version.Info of apimachinery). Clients read the version of Kubernetes out of it that they may expect, and some look at
 * the form of `gitVersion`.
 */
export const versionInfo: Readonly<Record<string, string>> = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion: 'v1.36.0+leasehold',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node${nodeVersion}`,
  compiler: 'node',
  platform: `${platform}/${arch}`,
};
