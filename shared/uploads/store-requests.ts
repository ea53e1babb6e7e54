import { Breaker } from '../breaker.ts';
import { integerOr } from '../config.ts';
import { EngineError } from '../errors.ts';
import { count, logLine } from '../telemetry.ts';
import { type IncomingAnswer, send, TransportError } from '../transport.ts';
import { objectUrl, type Store } from './settings.ts';
import { signedHeaders } from './sign.ts';

/** The requests of this service to the store. Each may be repeated, and none moves the bytes of an object. */
interface ObjectFacts {
  bytes: number;
  contentType: string;
  etag: string;
}

const timeoutMs = integerOr('UPLOADS_TIMEOUT_MS', 3_000);
const breaker = new Breaker();

/** null: there is no such object. Throws EngineError. */
export async function headObject(store: Store, key: string): Promise<ObjectFacts | null> {
  const { status, headers } = await ask(store, 'HEAD', key, {}, [200, 404]);
  if (status === 404) return null;
  const { etag = '', 'content-length': bytes = '', 'content-type': contentType = '' } = headers;
  if (!/^[\x21-\x7e]{1,128}$/.test(etag) || !/^\d{1,15}$/.test(bytes)) throw unusable('answer unreadable');
  return { bytes: Number(bytes), contentType, etag };
}

/**
 * Copies an object inside the store if it is still the one with this ETag. The copy has this type and no other metadata
 * of the client. false: the source is gone or was replaced. Throws EngineError.
 */
export async function copyObject(
  store: Store,
  { from, to, etag, contentType }: { from: string; to: string; etag: string; contentType: string },
): Promise<boolean> {
  const headers = {
    'cache-control': 'max-age=86400',
    'content-type': contentType,
    'x-amz-copy-source': `/${store.bucket}/${from}`,
    'x-amz-copy-source-if-match': etag,
    'x-amz-metadata-directive': 'REPLACE',
  };
  const { status, body } = await ask(store, 'PUT', to, headers, [200, 404, 412]);
  if (status !== 200) return false;
  // A copy that fails midway has status 200 and an error in its body.
  if (!body.includes('<CopyObjectResult')) throw unusable('copy not confirmed');
  return true;
}

/** Also succeeds when there is no such object. Throws EngineError. */
export async function deleteObject(store: Store, key: string): Promise<void> {
  await ask(store, 'DELETE', key, {}, [200, 204, 404]);
}

/** Throws EngineError, also for a status that is not expected. The log gets no address and no header. */
async function ask(
  store: Store,
  method: 'HEAD' | 'PUT' | 'DELETE',
  key: string,
  headers: Record<string, string>,
  expected: readonly number[],
): Promise<IncomingAnswer> {
  if (!breaker.admits()) throw new EngineError('store', 'breaker open', 'not-applied');
  count('store.requests');
  const signed = signedHeaders(store, { method, key, headers, at: Date.now() });
  let answer: IncomingAnswer;
  try {
    const url = objectUrl(store, key);
    answer = await send({ url, method, headers: signed, timeoutMs: timeoutMs(), repeatable: true });
  } catch (error) {
    breaker.failed();
    count('store.failed');
    if (!(error instanceof TransportError)) throw error;
    throw new EngineError('store', error.reason, error.sent ? 'unknown' : 'not-applied');
  }
  if (expected.includes(answer.status)) {
    breaker.succeeded();
    return answer;
  }
  if (answer.status >= 500) breaker.failed();
  count('store.failed');
  // The store's own code, such as SignatureDoesNotMatch, and nothing else of its text.
  const [, reason = ''] = /<Code>(\w{1,40})<\/Code>/.exec(answer.body.toString('latin1')) ?? [];
  logLine({ level: 'error', code: 'store-refused', operation: method, status: answer.status, reason });
  throw unusable(`status ${answer.status}`);
}

const unusable = (reason: string): EngineError => new EngineError('store', reason, 'unknown');
