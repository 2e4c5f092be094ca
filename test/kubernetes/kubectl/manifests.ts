/** What a manifest of a lease says besides its name and holder. */
export interface Manifest {
  readonly labels?: Readonly<Record<string, string>>;
  /** In seconds. Default: 3,600: it outlives the test. */
  readonly duration?: number;
  readonly renewTime?: string;
}

/** A lease in YAML, as users write it. */
export function lease(name: string, holder: string, { labels = {}, duration = 3600, renewTime }: Manifest = {}): string {
  const lines = Object.entries(labels).map(([key, value]) => `    ${key}: ${value}\n`);
  return `apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: ${name}
${lines.length === 0 ? '' : `  labels:\n${lines.join('')}`}spec:
  holderIdentity: ${holder}
  leaseDurationSeconds: ${duration}
${renewTime === undefined ? '' : `  renewTime: "${renewTime}"\n`}`;
}
