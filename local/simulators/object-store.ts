import { createHash } from 'node:crypto';
import {
  type Fault,
  type FaultOf,
  type SimulatedAnswer,
  type SimulatedRequest,
  startLoopbackServer,
} from './loopback-server.ts';
import { type Refusal, refusalOf, type StoreKeys } from './signature-v4.ts';
import { memoryObjects, type Objects, type StoredObject } from './stored-objects.ts';

export interface ObjectStoreSimulator {
  /** The endpoint. Objects are at /<bucket>/<key>. */
  url: string;
  /** Method and path of all requests, also of those that were refused. */
  received: string[];
  objects: Objects;
  misbehave(fault: Fault | FaultOf | null): void;
  stop(): Promise<void>;
}

interface Options extends StoreKeys {
  bucket: string;
  /** Default: in memory. */
  objects?: Objects;
  port?: number;
  /** Unix milliseconds. */
  now?: () => number;
}

/** S3 takes 5 GiB in one PUT. This is enough to refuse something. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const NO_KEY: Refusal = [404, 'NoSuchKey', 'The specified key does not exist.'];

/**
 * A store with the interface of S3: PUT, GET, HEAD, DELETE and the copy inside it. It checks signatures as S3 does, and
 * its refusals have the codes of S3. Every web page may call it, as a bucket with a CORS rule allows.
 */
export async function startObjectStore(options: Options): Promise<ObjectStoreSimulator> {
  const { bucket, objects = memoryObjects(), now = Date.now } = options;
  const received: string[] = [];

  function answer(request: SimulatedRequest): SimulatedAnswer {
    const { method, path } = request;
    if (method === 'OPTIONS') return { status: 200, body: '', headers: CORS };
    received.push(`${method} ${path}`);
    const [, named, ...rest] = path.split('/');
    const refusal = refusalOf(request, options, now());
    if (refusal) return refused(refusal, method);
    if (named !== bucket) return refused([404, 'NoSuchBucket', 'The specified bucket does not exist'], method);
    const key = decodeURIComponent(rest.join('/'));
    if (method === 'PUT') return request.headers['x-amz-copy-source'] ? copy(key, request) : put(key, request);
    if (method === 'DELETE') {
      objects.delete(key);
      return { status: 204, body: '' };
    }
    const object = objects.get(key);
    if (!object) return refused(NO_KEY, method);
    return { status: 200, body: method === 'HEAD' ? '' : object.body, headers: headersOf(object) };
  }

  function put(key: string, { body, headers }: SimulatedRequest): SimulatedAnswer {
    objects.set(key, { body, ...metadataOf(headers) });
    return { status: 200, body: '', headers: { ...CORS, etag: etagOf(body) } };
  }

  function copy(key: string, { headers }: SimulatedRequest): SimulatedAnswer {
    const [from, ...rest] = decodeURIComponent(String(headers['x-amz-copy-source'])).replace(/^\//, '').split('/');
    const source = from === bucket ? objects.get(rest.join('/')) : undefined;
    if (!source) return refused(NO_KEY, 'PUT');
    const wanted = headers['x-amz-copy-source-if-match'];
    if (wanted !== undefined && wanted !== etagOf(source.body))
      return refused(
        [412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold'],
        'PUT',
      );
    const replaced = headers['x-amz-metadata-directive'] === 'REPLACE';
    objects.set(key, replaced ? { body: source.body, ...metadataOf(headers) } : source);
    const result = `<CopyObjectResult><ETag>${etagOf(source.body)}</ETag></CopyObjectResult>`;
    return { status: 200, body: xml(result), headers: { 'content-type': 'application/xml' } };
  }

  const server = await startLoopbackServer(answer, options.port, MAX_BODY_BYTES);
  return { ...server, received, objects };
}

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, PUT',
  'access-control-allow-headers': '*',
  'access-control-expose-headers': 'etag',
};
const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-encoding'] as const;

function metadataOf(headers: SimulatedRequest['headers']): Omit<StoredObject, 'body'> {
  const more = KEPT_HEADERS.flatMap((name) => (headers[name] ? [[name, String(headers[name])]] : []));
  return { contentType: headers['content-type'] ?? 'binary/octet-stream', more: Object.fromEntries(more) };
}

const headersOf = ({ body, contentType, more }: StoredObject): Record<string, string> => ({
  ...CORS,
  ...more,
  'content-type': contentType,
  'content-length': String(body.length),
  etag: etagOf(body),
});

const etagOf = (body: Buffer): string => `"${createHash('md5').update(body).digest('hex')}"`;
const xml = (inner: string): string => `<?xml version="1.0" encoding="UTF-8"?>\n${inner}`;

function refused([status, code, message]: Refusal, method: string): SimulatedAnswer {
  const body = method === 'HEAD' ? '' : xml(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  return { status, body, headers: { ...CORS, 'content-type': 'application/xml' } };
}
