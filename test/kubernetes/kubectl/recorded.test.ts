import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { recordedCommands } from '../recordings.js';
import { useServer } from './served.js';

/** Commands that tell of the server, its callers or its other inhabitants. */
const others = ['kubectl version', 'kubectl api-resources', 'kubectl auth whoami', 'kubectl get ns', 'kubectl get --raw'];

describe.skipIf(missing(program))('kubectl', () => {
  const served = useServer();

  test('prints what it printed of kube-apiserver', async () => {
    const { kubectl } = served;
    const recorded = recordedCommands();
    await kubectl.write('foo.yaml', fooHeldBy('my-leader-instance'));
    for (const [index, { command, prints }] of recorded.entries()) {
      if (others.some((other) => command.startsWith(other))) continue;
      // What was applied first was changed, and applied again.
      if (recorded[index - 1]?.command === 'kubectl apply -f foo.yaml')
        await kubectl.write('foo.yaml', fooHeldBy('second-instance'));
      const expected = prints.filter((line) => line !== '').map(steadyLine);
      const printed = (await linesOf(command)).slice(0, expected.length);
      expect({ command, printed }).toEqual({ command, printed: expected });
    }
  });

  async function linesOf(command: string): Promise<string[]> {
    const { kubectl } = served;
    const args = command.replace(/^.*kubectl /, '').split(' ');
    if (args.includes('-w')) return (await kubectl.start(...args).lines(2)).map(steadyLine);
    const { stdout, stderr } = await kubectl.run(args);
    return `${stderr}${stdout}`
      .replace(/(Annotations: +)leasehold\.dev\/state.*\n.*leasehold\.dev\/token.*/, '$1<none>')
      .split('\n')
      .filter((line) => line !== '' && !/^ *(leasehold\.dev|kubectl\.kubernetes\.io)\/|^ +\{"apiVersion"/.test(line))
      .map(steadyLine);
  }
});

function fooHeldBy(holder: string): string {
  return `apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: example-foo
  namespace: default
spec:
  holderIdentity: ${holder}
  leaseDurationSeconds: 30
  renewTime: "2023-12-02T10:00:00.000000Z"
`;
}

/** A line without ages, uids, versions, and times of the server. */
function steadyLine(line: string): string {
  return line
    .replace(/ \d+s$/, ' 0s')
    .replace(/("?(?:uid|resourceVersion|UID|Resource Version)"?: +).*/, '$1<varies>')
    .replace(/((?:creationTimestamp|Creation Timestamp): +).*/, '$1<time>')
    .replace(/ deleted from \w+ namespace$/, ' deleted');
}
