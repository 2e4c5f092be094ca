import { type CallCredentials, credentials, Metadata } from '@grpc/grpc-js';
import { invalidOption, LeaseholdError, UnavailableError } from '../errors.js';
import { isLoopback } from './endpoints.js';
import type { Token } from './security.js';

/**
 * Checks a token, as far as it is known, and where it would be sent: whoever reads it on the way can use it.
 *
 * @throws {InvalidError} its message shows nothing of the token.
 */
export function checkToken(token: Token, endpoints: readonly string[], encrypted: boolean): void {
  if (typeof token === 'string') checkText(token);
  const open = encrypted ? undefined : endpoints.find((endpoint) => !isLoopback(endpoint));
  if (open !== undefined) {
    throw invalidOption('token', 'must be sent over TLS, or to this machine (set tls)', `the endpoint ${open} without TLS`);
  }
}

/**
 * Credentials of one call, or of one stream. The call waits for its token within its deadline.
 *
 * @param onFailure hears why there is no token; the call then fails for that reason.
 */
export function bearer(token: Token, onFailure: (error: LeaseholdError) => void): CallCredentials {
  return credentials.createFromMetadataGenerator((_, callback) => {
    metadataOf(token).then(
      (metadata) => {
        callback(null, metadata);
      },
      (error: unknown) => {
        const failure = error instanceof LeaseholdError ? error : failed(error);
        onFailure(failure);
        callback(failure);
      },
    );
  });
}

async function metadataOf(token: Token): Promise<Metadata> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${checkText(typeof token === 'string' ? token : await token())}`);
  return metadata;
}

/** What a header carries; grpc-js would quote anything else in its error. */
function checkText(token: string): string {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
  throw invalidOption('token', 'must be visible ASCII characters', 'something else');
}

/** Where tokens come from may be down for a moment, like a server. */
function failed(cause: unknown): UnavailableError {
  const message = 'Get a token: the function that was given failed';
  return new UnavailableError({ code: 'UNAUTHENTICATED', reason: 'TOKEN_UNAVAILABLE', message, retryable: true }, { cause });
}
