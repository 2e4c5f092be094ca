/** A message in the form of JSON: names in camelCase, 64-bit integers as decimal strings, enum values by name, defaults left out. */
export type Message = Readonly<Record<string, unknown>>;

/** A gRPC client that nobody here wrote, made to look like the others. */
export interface ForeignClient {
  /** A `google.protobuf.Duration` as this client takes it. */
  duration(ms: number): unknown;
  /** Makes a unary call. @throws {ForeignError} it ended with another status than OK. */
  call(method: string, request: Message): Promise<Message>;
  /** Opens a stream: of requests as well, or with the one request given. */
  open(method: string, request?: Message): ForeignStream;
  close(): Promise<void>;
}

export interface ForeignStream {
  send(request: Message): void;
  /** The next message. @throws {ForeignError} the stream ended. */
  next(): Promise<Message>;
  cancel(): void;
}

/** A call that ended with an error. */
export class ForeignError extends Error {
  override readonly name = 'ForeignError';
  /** The status code as a number. */
  readonly code: number;
  /** The typed details by the last part of their type's name, as in `ErrorInfo`. */
  readonly details: Readonly<Record<string, Message>>;

  constructor(code: number, message: string, details: Readonly<Record<string, Message>>) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** The last part of a type's name or address: `ErrorInfo` of `type.googleapis.com/google.rpc.ErrorInfo`. */
export function shortName(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}

/** Details in the form of JSON, where `@type` names the type, by their short names. */
export function detailsByName(details: readonly Message[]): Record<string, Message> {
  return Object.fromEntries(details.map((detail) => [shortName(String(detail['@type'])), detail]));
}

/** What an `Any` field holds in the form of JSON, by short names. */
export function durationFromJson(ms: number): string {
  return `${ms / 1000}s`;
}

/** Milliseconds of a duration, in either form: `1.5s` or seconds and nanoseconds. */
export function milliseconds(duration: unknown): number {
  if (typeof duration === 'string') {
    return Number(duration.slice(0, -1)) * 1000;
  }
  const { seconds = 0, nanos = 0 } = duration as { seconds?: string; nanos?: number };
  return Number(seconds) * 1000 + nanos / 1e6;
}

/** A queue of messages that arrive before or after somebody asks for them. */
export class Inbox {
  readonly #messages: Message[] = [];
  #end: Error | undefined;
  #wake: () => void = () => undefined;

  push(message: Message): void {
    this.#messages.push(message);
    this.#wake();
  }

  end(error: Error): void {
    this.#end ??= error;
    this.#wake();
  }

  async next(): Promise<Message> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        return message;
      }
      if (this.#end !== undefined) {
        throw this.#end;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
