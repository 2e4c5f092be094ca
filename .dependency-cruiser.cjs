/**
 * The dependency direction of ARCHITECTURE.md, as a gate. Each rule says why it is there.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Files that need each other are one idea in two places, and which loads first is chance.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      comment: 'An import that resolves to nothing here is a missing dependency or a typing error.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared',
      comment:
        'What a package imports stands in its own package.json: hoisting by the workspace hides what an installed package misses.',
      severity: 'error',
      from: { path: '^(core|server|sdk|cli)/src' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'core-is-pure',
      comment:
        'Core runs in the server and in the testing kit of the SDK, which installs without Node modules of its own or native code.',
      severity: 'error',
      from: { path: '^core/src' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-knows-no-other-package',
      comment: 'The domain is below everything else: a transport or a store that it knew could not be replaced.',
      severity: 'error',
      from: { path: '^core/src' },
      to: { path: '^(proto|server|sdk|cli)/' },
    },
    {
      name: 'lease-is-pure',
      comment: 'What a command does to a lease depends on the record, the command and the time given; nothing else may leak in.',
      severity: 'error',
      from: { path: '^core/src/lease/' },
      to: { pathNot: '^core/src/lease/' },
    },
    {
      name: 'store-knows-leases-only',
      comment: 'A store keeps records and their history. One that reached into the coordinator would decide things.',
      severity: 'error',
      from: { path: '^core/src/store/' },
      to: { pathNot: ['^core/src/(lease|store)/', '^node_modules/'] },
    },
    {
      name: 'coordinator-knows-lease-store-and-clock',
      comment: 'The one way of a change has to run on any store and any clock, so that a simulation can turn both.',
      severity: 'error',
      from: { path: '^core/src/coordinator/' },
      to: { pathNot: ['^core/src/(lease|store|coordinator)/', '^core/src/clock\\.ts$', '^node_modules/'] },
    },
    {
      name: 'coordinator-knows-no-particular-store',
      comment: 'A coordinator that knew the memory store would come to depend on what only memory can do.',
      severity: 'error',
      from: { path: '^core/src/coordinator/' },
      to: { path: '^core/src/store/', pathNot: '^core/src/store/store\\.ts$' },
    },
    {
      name: 'core-by-its-front-door',
      comment: 'What other packages may use of core is what its index names.',
      severity: 'error',
      from: { path: '^(server|sdk|cli)/src' },
      to: { path: '^core/', pathNot: '^core/(src/index\\.ts|dist/index\\.(js|d\\.ts))$' },
    },
    {
      name: 'transports-translate',
      comment:
        'Handlers turn messages into commands and answers into messages. One that reached a store would be a second way of a change.',
      severity: 'error',
      from: { path: '^server/src/(grpc|kubernetes)/' },
      to: { path: '^server/src/', pathNot: ['^server/src/$1/', '^server/src/clock\\.ts$'] },
    },
    {
      name: 'stores-know-no-transport',
      comment: 'A store implements the interface of core; who asks is not its business.',
      severity: 'error',
      from: { path: '^server/src/store/([^/]+)/' },
      to: {
        path: '^server/src/',
        pathNot: ['^server/src/store/$1/', '^server/src/store/record-codec\\.ts$', '^server/src/clock\\.ts$'],
      },
    },
    {
      name: 'one-composition-root',
      comment: 'Only the files at the top of server/src put stores, coordinator and transports together.',
      severity: 'error',
      from: { path: '^server/src/[^/]+/' },
      to: { path: '^server/src/[^/]+\\.ts$', pathNot: '^server/src/clock\\.ts$' },
    },
    {
      name: 'sqlite-in-one-place',
      comment:
        'The native module belongs to the SQLite store, which runs it on its worker; anywhere else it would block the loop.',
      severity: 'error',
      from: { pathNot: '^server/src/store/sqlite/' },
      to: { path: 'node_modules/(better-sqlite3|@types/better-sqlite3)/' },
    },
    {
      name: 'grpc-stays-in-transports',
      comment: 'grpc-js is how messages travel, not what they mean.',
      severity: 'error',
      from: { path: '^(server|sdk|cli)/src', pathNot: ['^server/src/grpc/', '^server/src/store/etcd/', '^sdk/src/transport/'] },
      to: { path: 'node_modules/@grpc/' },
    },
    {
      name: 'generated-code-stays-at-the-edge',
      comment:
        'Generated types follow the wire: beyond conversion, the words of the domain are used, so that a change of the contract stops there.',
      severity: 'error',
      from: { path: '^(core|server|sdk|cli)/src', pathNot: ['^server/src/grpc/', '^sdk/src/transport/'] },
      to: { path: '^proto/' },
    },
    {
      name: 'sdk-knows-no-server',
      comment: 'The SDK is installed by people who run no server: no native module, and no code that only a server needs.',
      severity: 'error',
      from: { path: '^sdk/src' },
      to: { path: '^(server|cli)/' },
    },
    {
      name: 'sdk-core-in-testing-only',
      comment: 'The testing kit runs the real coordinator in memory; nothing else in the SDK may bring core along.',
      severity: 'error',
      from: { path: '^sdk/src', pathNot: '^sdk/src/testing/' },
      to: { path: '^core/' },
    },
    {
      name: 'server-knows-no-client',
      comment: 'The server serves; the command line is the one place that knows both it and the SDK.',
      severity: 'error',
      from: { path: '^server/src' },
      to: { path: '^(sdk|cli)/' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^[^/]+/dist/'] },
    exclude: { path: ['\\.tsbuildinfo$'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};
