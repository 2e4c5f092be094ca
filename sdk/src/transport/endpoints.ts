import { invalidOption } from '../errors.js';

/** A host name or an IPv4 address, or an IPv6 address in brackets; and a port. */
const pattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_](?:[-A-Za-z0-9_.]*[A-Za-z0-9_])?)):(\d{1,5})$/;

/**
 * Checks addresses of servers.
 *
 * @throws {InvalidError}
 */
export function checkEndpoints(endpoints: readonly string[]): readonly string[] {
  if (endpoints.length === 0) throw invalidOption('endpoints', 'must name at least one server', '[]');
  for (const endpoint of endpoints) {
    const port = Number(pattern.exec(endpoint)?.[3] ?? 0);
    if (port < 1 || port > 65_535) {
      const rule = 'must be host:port such as leases.example.com:7400, 10.0.0.1:7400 or [::1]:7400';
      throw invalidOption('endpoints', rule, JSON.stringify(endpoint));
    }
  }
  return endpoints;
}

/** Whether what is sent to this address stays on this machine. */
export function isLoopback(endpoint: string): boolean {
  const [, v6, host = ''] = pattern.exec(endpoint) ?? [];
  return v6 === '::1' || host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host);
}
