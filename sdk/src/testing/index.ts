// A server and a clock for tests of what uses the SDK: no waiting, no port, no real time.
export { FakeClock, type ProcessOptions, settle } from './fake-clock.js';
export { TestLink } from './link.js';
export { type TestClientOptions, type TestPlace, TestServer, type TestServerOptions } from './test-server.js';
export type { Network, Wire, WireEnd } from './wire.js';
