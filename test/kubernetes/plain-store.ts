import { apply } from '../../server/dist/kubernetes/managed-fields/apply.js';
import { settleTimes } from '../../server/dist/kubernetes/managed-fields/settle-times.js';
import { trackUpdate } from '../../server/dist/kubernetes/managed-fields/update.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { applyJsonPatch } from '../../server/dist/kubernetes/patch/json-patch.js';
import { applyMergePatch } from '../../server/dist/kubernetes/patch/merge-patch.js';
import { applyStrategicMergePatch } from '../../server/dist/kubernetes/patch/strategic-merge-patch.js';
import { StatusError } from '../../server/dist/kubernetes/status.js';
import { recordedCases, type Step } from './recordings.js';

/** Cases recorded from kube-apiserver 1.36, by name. */
export const recorded: ReadonlyMap<string, readonly Step[]> = new Map(recordedCases().map(({ name, steps }) => [name, steps]));

/** Makes a case's requests on a store of plain objects, up to the first deletion; what each is answered with. */
export function replay(steps: readonly Step[]): unknown[] {
  const store = new PlainStore();
  const answers: unknown[] = [];
  for (const step of steps) {
    if (step.method === 'DELETE') break;
    const filled = JSON.parse(
      JSON.stringify(step)
        .replaceAll('{{ns}}', '<ns>')
        .replace(/\{\{1\.metadata\.resourceVersion\}\}/g, '<rv-1>'),
    ) as Step;
    answers.push(store.answer(filled));
  }
  return answers;
}

/** Makes everything of an object throw when it is changed. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

/** One lease, and around the patches and managers the little that a store adds to it. Names stand for what differs from run to run. */
class PlainStore {
  #lease: LeaseObject | undefined;
  #version = 0;

  answer(step: Step): unknown {
    try {
      return this.#store(this.#wanted(step), new URL(step.path, 'http://x').searchParams.has('dryRun'));
    } catch (error) {
      if (error instanceof StatusError) return error.status;
      throw error;
    }
  }

  /** The object that a request asks for, with its managers. */
  #wanted({ method = 'GET', path, headers, body }: Step): LeaseObject {
    const manager = new URL(path, 'http://x').searchParams.get('fieldManager') ?? '';
    const force = path.includes('force=true');
    const live = this.#lease;
    const type = headers?.['content-type'];
    if (method === 'GET') return this.#lease!;
    if (type?.startsWith('application/apply-patch')) {
      return apply({ live, patch: frozen(JSON.parse(body as string)), manager, force, now: '<now>' });
    }
    const after = (method === 'PATCH' ? this.#patched(type!, frozen(body)) : body) as LeaseObject;
    const managedFields = trackUpdate({ before: live, after: frozen(after), manager, now: '<now>' });
    const { managedFields: _, ...metadata } = after.metadata;
    return { ...after, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } };
  }

  #patched(type: string, patch: unknown): unknown {
    const patches = {
      'application/json-patch+json': applyJsonPatch,
      'application/merge-patch+json': applyMergePatch,
      'application/strategic-merge-patch+json': applyStrategicMergePatch,
    };
    return patches[type as keyof typeof patches](this.#lease!, patch);
  }

  #store(wanted: LeaseObject, dryRun: boolean): LeaseObject {
    const { name, generateName, namespace: _, selfLink: __, ...metadata } = wanted.metadata;
    const { strategy: ___, ...spec } = wanted.spec ?? {};
    const own = {
      name: name ?? '<generated-1>',
      ...(generateName === undefined ? {} : { generateName }),
      namespace: '<ns>',
      uid: '<uid-1>',
      creationTimestamp: '<now>',
      resourceVersion: this.#lease?.metadata.resourceVersion ?? '',
    };
    const full: LeaseObject = { ...wanted, metadata: { ...metadata, ...own }, spec };
    const settled = this.#lease === undefined ? full : settleTimes(this.#lease, full);
    if (dryRun || sorted(settled) === sorted(this.#lease)) return settled;
    const stored = { ...settled, metadata: { ...settled.metadata, resourceVersion: `<rv-${++this.#version}>` } };
    this.#lease = frozen(stored);
    return stored;
  }
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}
