import { describe, expect, test } from 'vitest';
import { formatOfBody } from '../../server/dist/kubernetes/codec/media-type.js';
import { negotiate, negotiateWatch } from '../../server/dist/kubernetes/negotiate.js';
import { StatusError } from '../../server/dist/kubernetes/status.js';

function asking(accept: string | undefined, query = '', userAgent = 'client/1') {
  const headers: Record<string, string | undefined> = { accept, 'user-agent': userAgent };
  return { query: new URLSearchParams(query), header: (name: string) => headers[name] };
}

const formatFor = (accept: string | undefined) => negotiate(asking(accept)).format;

describe('the format of an answer', () => {
  test.each([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/json', 'json'],
    ['application/json; charset=utf-8', 'json'],
    ['application/yaml', 'yaml'],
    ['application/vnd.kubernetes.protobuf', 'protobuf'],
    ['application/vnd.kubernetes.protobuf,application/json', 'protobuf'],
    ['application/json, */*', 'json'],
    ['*/*, application/yaml', 'yaml'],
    ['application/*, application/yaml', 'yaml'],
    ['application/json;q=0.5, application/yaml;q=0.9', 'yaml'],
    ['application/json;q=0.5, application/yaml;q=0.4, */*;q=0.1', 'json'],
    ['application/json;q=0, */*;q=0.1', 'json'],
    // kube-apiserver does not know that this means no.
    ['application/json;q=0', 'json'],
    ['image/png, application/yaml', 'yaml'],
    ['application/json;stream=watch', 'json'],
    ['application/yaml;q=nonsense', 'yaml'],
  ])('accepted as %j is %s', (accept, format) => {
    expect(formatFor(accept)).toBe(format);
  });

  test.each(['image/png', 'text/json', 'application/*', 'APPLICATION/JSON', 'application/cbor', ','])(
    'accepted as %j is none',
    (accept) => {
      const message =
        '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf';
      expect(() => negotiate(asking(accept))).toThrow(new StatusError(406, 'NotAcceptable', message, { details: {} }));
    },
  );
});

describe('what an answer is turned into', () => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';

  test('is what kubectl asks for', () => {
    expect(negotiate(asking(`${table},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`))).toEqual({
      format: 'json',
      pretty: false,
      as: { kind: 'Table', group: 'meta.k8s.io', version: 'v1' },
    });
  });

  test('is metadata, in protobuf as well', () => {
    const accept = 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
    expect(negotiate(asking(accept))).toMatchObject({ format: 'protobuf', as: { kind: 'PartialObjectMetadataList' } });
  });

  test.each([
    'application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json',
    'application/json;as=Table;v=v2;g=meta.k8s.io,application/json',
    'application/json;as=Table;v=v1,application/json',
    'application/json;as=Chair;v=v1;g=meta.k8s.io, */*',
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
  ])('is nothing where that cannot be: %s', (accept) => {
    expect(negotiate(asking(accept))).toEqual({ format: 'json', pretty: false, as: undefined });
  });

  test('is refused where nothing else is accepted', () => {
    const message =
      'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf';
    expect(() => negotiate(asking('application/json;as=Chair;v=v1;g=meta.k8s.io'))).toThrow(
      new StatusError(406, 'NotAcceptable', message),
    );
  });

  test('can be something else elsewhere', () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList;profile=nopeer,application/json';
    expect(negotiate(asking(accept), ({ group }) => group === 'apidiscovery.k8s.io').as).toEqual({
      kind: 'APIGroupDiscoveryList',
      group: 'apidiscovery.k8s.io',
      version: 'v2',
    });
  });
});

describe('an answer for people', () => {
  test.each([
    [asking(undefined, 'pretty=true'), true],
    [asking(undefined, 'pretty=1'), true],
    [asking(undefined, 'pretty=nonsense'), false],
    [asking('application/json;pretty=1'), true],
    [asking(undefined, '', 'curl/8.5.0'), true],
    [asking(undefined, '', 'Mozilla/5.0 (X11)'), true],
    [asking(undefined, 'pretty=false', 'curl/8.5.0'), false],
    [asking(undefined, '', 'kubectl/v1.32'), false],
  ])('is asked for by query, type or user agent (%#)', (request, pretty) => {
    expect(negotiate(request).pretty).toBe(pretty);
  });
});

describe('the format of a watch', () => {
  test.each([
    [undefined, 'json'],
    ['application/vnd.kubernetes.protobuf;stream=watch,application/json', 'protobuf'],
    ['application/json;as=Table;v=v1;g=meta.k8s.io', 'json'],
  ])('accepted as %j is %s', (accept, format) => {
    expect(negotiateWatch(asking(accept)).format).toBe(format);
  });

  test('is not YAML', () => {
    const message =
      'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch';
    expect(() => negotiateWatch(asking('application/yaml'))).toThrow(new StatusError(406, 'NotAcceptable', message));
  });
});

describe('the format of a body', () => {
  test.each([
    [undefined, 'json'],
    ['', 'json'],
    ['application/json; charset=utf-8', 'json'],
    ['Application/YAML', 'yaml'],
    ['application/vnd.kubernetes.protobuf', 'protobuf'],
    ['application/vnd.kubernetes.protobuf ; x="y"', 'protobuf'],
  ])('of type %j is %s', (contentType, format) => {
    expect(formatOfBody(contentType)).toBe(format);
  });

  test.each(['text/csv', 'application/jsonp', 'json', 'application/merge-patch+json', ';'])(
    'of type %j is none',
    (contentType) => {
      const message =
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf';
      expect(() => formatOfBody(contentType)).toThrow(new StatusError(415, 'UnsupportedMediaType', message));
    },
  );
});
