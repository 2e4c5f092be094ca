// Puts a server under load with the generator in bench/load, and watches who is busy meanwhile.
import { fileURLToPath } from 'node:url';
import { goProgram } from './go.mjs';
import { withFrames } from './frames.mjs';
import { processorTime, processorTimeOf, start } from './process.mjs';

/**
 * @param {() => void} [onOpen] of streams at a pace: all have been answered first, and the time to warm up begins; of others: at once
 * @param {object | object[]} target `address` and `pid` of the server, or of each of several
 * @param {object} config as in bench/load/main.go, with `messages` in place of `bodies`
 * @returns the generator's result, with `rate` a second and `busy`: the share of a core that the server's main thread, the whole server
 *   (of several: all together) and the generator used
 */
export async function load(target, { messages, onOpen = () => {}, ...config }) {
  const program = await goProgram(fileURLToPath(new URL('../load', import.meta.url)), 'load');
  const targets = [target].flat();
  const addresses = targets.map(({ address }) => address);
  return withFrames(messages, async (bodies) => {
    const before = processorTimeOf(targets);
    const begin = performance.now();
    const { result, usage } = await generate(program, { addresses, bodies, ...config }, onOpen);
    const after = processorTimeOf(targets);
    const elapsed = (performance.now() - begin) / 1000;
    if (result.failed > 0) throw new Error(`${config.path}: ${result.failed} failed, the first: ${result.firstFailure}`);
    return {
      ...result,
      rate: result.answered / result.seconds,
      busy: {
        main: (after.main - before.main) / elapsed,
        server: (after.all - before.all) / elapsed,
        generator: usage / elapsed,
      },
    };
  });
}

/** Runs the generator; `usage` is its processor time in seconds, read while it lives. */
async function generate(program, config, onOpen) {
  const generator = start(program, []);
  if (config.stream && config.paceSeconds > 0) {
    generator.child.stderr.once('data', onOpen);
  } else {
    onOpen();
  }
  let usage = 0;
  const poll = setInterval(() => {
    try {
      usage = processorTime(generator.child.pid).all;
    } catch {
      // It has just ended: the last reading stands.
    }
  }, 50);
  let text = '';
  generator.child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  generator.child.stdin.end(JSON.stringify(config));
  const code = await new Promise((resolve) => generator.child.on('close', resolve));
  clearInterval(poll);
  if (code !== 0) throw new Error(`The load generator failed: ${generator.output()}`);
  return { result: JSON.parse(text), usage };
}
