// The server as a library: for `leasehold serve`, and for tests and benchmarks that run a server in their own process.
export type { Log } from './log.js';
export { migrate } from './migrate.js';
export { helpText } from './options/help.js';
export { defaultOptions, OptionError, parseOptions, type ServeRequest } from './options/parse.js';
export type { ServerOptions } from './options/table.js';
export type { ListenAddress, LogLevel, StoreLocation } from './options/values.js';
export { serve, type HostProcess } from './serve.js';
export { startServer, type RunningServer, type ServerParts } from './start-server.js';
export { StoreOpenError, type StoreOpenCode } from './store/sqlite/index.js';
