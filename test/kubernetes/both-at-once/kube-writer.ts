import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../../support/chance.js';
import type { Answered, Asked, Labels, Refusal, SpecChange } from './history.js';
import { leasesPath, type KubeAnswer, type KubeClient, type KubeLease, type KubeStatus } from './kube-client.js';
import { ofKubernetes } from './shown.js';
import { Writer, type Stage } from './stage.js';

/** What a write makes of the holder. */
type Intent = 'take' | 'renew' | 'release' | 'metadata';

/** Works on leases over the Kubernetes API. */
export class KubeWriter extends Writer {
  readonly #client: KubeClient;
  /** Objects as they were, to be put back too late. */
  readonly #old = new Map<string, KubeLease>();

  constructor(name: string, stage: Stage, chance: Chance, client: KubeClient) {
    super(name, stage, chance);
    this.#client = client;
  }

  protected async act(name: string): Promise<void> {
    switch (this.chance.draw({ put: 8, patch: 5, post: 3, get: 2, apply: 1.5, remove: 1, make: 1, late: 1 })) {
      case 'put':
        return this.#put(name, await this.#get(name));
      case 'patch':
        return this.#patch(name);
      case 'post':
        return this.#post(name);
      case 'get':
        await this.#get(name);
        return;
      case 'apply':
        return this.#apply(name);
      case 'remove':
        return this.#remove(name);
      case 'make':
        return this.#make(name);
      case 'late':
        return this.#put(name, this.#old.get(name));
    }
  }

  async #get(name: string): Promise<KubeLease | undefined> {
    const path = `${leasesPath}/${name}`;
    let object: KubeLease | undefined;
    await this.#ask(name, { kind: 'get' }, async () => {
      const answer = await this.#client.ask('GET', path);
      if (answer.code === 200) object = answer.json as KubeLease;
      return answer;
    });
    return object;
  }

  /** Puts an object back, changed, as `kubectl replace` and client-go do. */
  async #put(name: string, base: KubeLease | undefined): Promise<void> {
    if (base === undefined) return this.#post(name);
    if (this.chance.next() < 0.1) this.#old.set(name, base);
    const intent = this.chance.draw({ take: 3, renew: 3, release: 1, metadata: 2 });
    const holder = intent === 'renew' ? (base.spec.holderIdentity ?? '') : intent === 'release' ? '' : this.name;
    const spec: SpecChange | undefined = intent === 'metadata' ? undefined : { holder };
    const labels = { ...base.metadata.labels, kube: this.mark() };
    const { uid, resourceVersion } = base.metadata;
    const body = {
      ...base,
      metadata: { ...base.metadata, labels },
      spec: spec === undefined ? base.spec : { ...base.spec, ...this.#spec(holder) },
    };
    const asked: Asked = { kind: 'put', base: { uid, version: BigInt(resourceVersion) }, spec, labels };
    await this.#ask(name, asked, () => this.#client.ask('PUT', `${leasesPath}/${name}`, body));
  }

  /** Puts an object that names no version: it is for a lease that is not there. */
  async #make(name: string): Promise<void> {
    const { spec, labels, body } = this.#fresh(name);
    await this.#ask(name, { kind: 'put', base: undefined, spec, labels }, () =>
      this.#client.ask('PUT', `${leasesPath}/${name}`, body),
    );
  }

  async #post(name: string): Promise<void> {
    const { spec, labels, body } = this.#fresh(name);
    await this.#ask(name, { kind: 'post', spec, labels }, () => this.#client.ask('POST', leasesPath, body));
  }

  #fresh(name: string): { spec: SpecChange; labels: Labels; body: object } {
    const holder = this.chance.next() < 0.5 ? this.name : '';
    const labels = { made: this.mark() };
    const body = { metadata: { name, labels }, spec: holder === '' ? {} : this.#spec(holder) };
    return { spec: { holder }, labels, body };
  }

  /** Patches without a version, which the server makes again until they fit. */
  async #patch(name: string): Promise<void> {
    const intent: Intent = this.chance.draw({ take: 2, renew: 2, release: 1, metadata: 3 });
    const labels = { kube: this.mark() };
    const holder = intent === 'renew' ? undefined : intent === 'release' ? '' : this.name;
    const spec: SpecChange | undefined = intent === 'metadata' ? undefined : { holder };
    const body = { metadata: { labels }, ...(spec === undefined ? {} : { spec: this.#spec(holder) }) };
    const type = `application/${this.chance.draw({ merge: 1, 'strategic-merge': 1 })}-patch+json`;
    await this.#ask(name, { kind: 'patch', spec, labels }, () => this.#client.ask('PATCH', `${leasesPath}/${name}`, body, type));
  }

  async #apply(name: string): Promise<void> {
    const labels = { applied: this.mark() };
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, labels } };
    const path = `${leasesPath}/${name}?fieldManager=${this.name}&force=true`;
    await this.#ask(name, { kind: 'apply', labels }, () => this.#client.ask('PATCH', path, body, 'application/apply-patch+yaml'));
  }

  async #remove(name: string): Promise<void> {
    const known = this.chance.next() < 0.5 ? await this.#get(name) : undefined;
    const version = known?.metadata.resourceVersion;
    const body = version === undefined ? undefined : { preconditions: { resourceVersion: version } };
    const asked: Asked = { kind: 'remove', version: version === undefined ? undefined : BigInt(version) };
    await this.#ask(name, asked, () => this.#client.ask('DELETE', `${leasesPath}/${name}`, body));
  }

  /** What a write that is to be a renewal, or more, says. `undefined`: the holder that is there stays. */
  #spec(holder: string | undefined): object {
    writes += 1;
    const now = `${new Date().toISOString().slice(0, 19)}.${String(writes % 1_000_000).padStart(6, '0')}Z`;
    const duration = this.chance.next() < 0.1 ? {} : { leaseDurationSeconds: this.chance.pick([1, 2]) };
    return holder === undefined ? { renewTime: now } : { holderIdentity: holder, renewTime: now, ...duration };
  }

  async #ask(name: string, asked: Asked, work: () => Promise<KubeAnswer>): Promise<void> {
    await this.note(name, asked, async () => readAnswer(asked, await work()));
    await sleep(this.chance.between(0, 60));
  }
}

/** Makes each `renewTime` another one. */
let writes = 0;

/** @throws what was not to be expected. */
function readAnswer({ kind }: Asked, { code, json }: KubeAnswer): Answered {
  const status = json as KubeStatus;
  if (code === 200 && kind === 'remove') return { kind: 'gone', uid: status.details?.uid ?? '', version: undefined };
  if (code === 200 || code === 201) return { kind: 'shown', lease: ofKubernetes(json as KubeLease), created: code === 201 };
  const why = refusalOf(code, status);
  if (why === undefined) throw new Error(`${kind}: ${code} ${JSON.stringify(json)}`);
  return { kind: 'refused', why };
}

function refusalOf(code: number, { message = '', details }: KubeStatus): Refusal | undefined {
  const said = [code, details?.causes?.[0]?.reason ?? '', message].join(' ');
  return refusals.find(([pattern]) => pattern.test(said))?.[1];
}

/** What tells refusals apart: the status, the first cause, and the message. */
const refusals: readonly (readonly [RegExp, Refusal])[] = [
  [/^404 /, 'LEASE_NOT_FOUND'],
  [/^422 .*must be specified for an update/, 'NO_VERSION'],
  [/^409 .*already exists/, 'LEASE_EXISTS'],
  [/^409 .*(object has been modified|[Pp]recondition)/, 'STALE_VERSION'],
  [/^409 LEASE_HELD /, 'LEASE_HELD'],
  [/^409 LEASE_REVOKED /, 'LEASE_REVOKED'],
  [/^409 NAME_RESERVED /, 'NAME_RESERVED'],
];
