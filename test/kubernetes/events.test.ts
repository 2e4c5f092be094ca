import { describe, expect, test } from 'vitest';
import { sealEnvelope } from '../../server/dist/kubernetes/codec/envelope.js';
import { Api } from './api-support.js';

const events = '/api/v1/namespaces/team/events';
const event = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'a.1' },
  reason: 'LeaderElection',
  message: 'a became leader',
};
const protobuf = 'application/vnd.kubernetes.protobuf';

describe('events', () => {
  test('are taken, in JSON and protobuf, and forgotten', async () => {
    const api = new Api();
    const inJson = await api.ask('POST', events, { body: event });
    expect(inJson).toMatchObject({ code: 201, contentType: 'application/json', json: event });
    const body = sealEnvelope({ apiVersion: 'v1', kind: 'Event', raw: Uint8Array.of(0x0a, 0x00) });
    const inProtobuf = await api.ask('POST', events, { body, headers: { 'content-type': protobuf } });
    expect(inProtobuf).toMatchObject({ code: 201, contentType: protobuf, body });
    expect((await api.ask('GET', events)).json).toMatchObject({ kind: 'EventList', items: [] });
  });

  test('that are counted up are not there, so that they are reported anew', async () => {
    const headers = { 'content-type': 'application/strategic-merge-patch+json' };
    expect(await new Api().ask('PATCH', `${events}/a.1`, { body: { count: 2 }, headers })).toMatchObject({
      code: 404,
      json: { reason: 'NotFound', message: 'events "a.1" not found', details: { name: 'a.1', kind: 'events' } },
    });
  });

  test.each([
    ['application/json', Buffer.from('{'), 400],
    ['application/json', Buffer.from('[]'), 400],
    ['application/yaml', Buffer.from('text'), 400],
    [protobuf, Buffer.from('{}'), 400],
    [protobuf, sealEnvelope({ apiVersion: 'v1', kind: 'Pod', raw: new Uint8Array() }), 400],
    ['text/plain', Buffer.from('{}'), 415],
  ])('are refused as %s if they are none (%s)', async (contentType, body, code) => {
    expect(await new Api().ask('POST', events, { body, headers: { 'content-type': contentType } })).toMatchObject({ code });
  });
});
