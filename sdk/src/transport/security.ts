/** How connections are encrypted, and who is at their ends. Everything is in PEM. */
export interface TlsOptions {
  /** Certificates that sign those of servers. Default: the ones that Node trusts. */
  readonly ca?: string | Uint8Array | undefined;
  /** This client's certificate and those that lead up to who signed it, for servers that ask for one. Default: none. */
  readonly cert?: string | Uint8Array | undefined;
  /** The private key of `cert`, without a passphrase. */
  readonly key?: string | Uint8Array | undefined;
  /** The name that certificates of servers have to be for. Default: the endpoint's host. */
  readonly serverName?: string | undefined;
}

/** A bearer token, or what gets one: it is asked anew for each call and each stream. */
export type Token = string | (() => string | Promise<string>);
