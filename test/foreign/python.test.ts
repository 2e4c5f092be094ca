import { describe } from 'vitest';
import { describeEverything } from './everything.js';
import { PythonClient } from './python-client.js';
import { missing, python, required } from './toolchain.js';

describe.skipIf(missing(python))('grpcio of Python with stubs that it generates itself', () => {
  describeEverything((address) => new PythonClient(required(python), address));
});
