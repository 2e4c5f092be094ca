// A process with a store, driven by lines on its standard input; it answers each with a line of JSON. See store-child.ts.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openSqliteStore } from '../../server/dist/store/sqlite/index.js';

const [file] = process.argv.slice(2);
const names = ['left', 'middle', 'right'];
let store;
let records;
let round = 0;

const orders = {
  async open() {
    store = await openSqliteStore({ file, wallMs: () => Date.now() });
    records = new Map();
    await store.load((piece) => piece.forEach((record) => records.set(record.name, record)));
    return { rounds: names.map((name) => records.get(name)?.transitions ?? 0) };
  },
  async commit() {
    const committed = await store.commit(names.map((name) => changeOf(name, ++round)));
    committed.forEach((change) => records.set(change.record.name, change.record));
    return { round, revision: String(committed.at(-1).revision) };
  },
  async loop() {
    for (;;) {
      say(await orders.commit());
    }
  },
  async close() {
    await store.close();
    return {};
  },
  async ping() {
    return { pong: true };
  },
};

function changeOf(name, transitions) {
  const before = records.get(name);
  const record = {
    namespace: 'default',
    name,
    uid: name,
    state: 'AVAILABLE',
    fencingToken: 0n,
    attendant: '',
    waiting: [],
    ...before,
    transitions,
    labels: {},
    annotations: { padding: 'x'.repeat(500) },
  };
  return { key: `default/${name}`, expected: before?.resourceVersion ?? 0n, record, grants: false, events: [] };
}

function say(answer) {
  writeSync(1, `${JSON.stringify(answer)}\n`);
}

for await (const order of createInterface({ input: process.stdin })) {
  const answer = orders[order]().then(say, (error) => say({ error: error.name, code: error.code, message: error.message }));
  if (order === 'open') {
    await answer;
  }
}
