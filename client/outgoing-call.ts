// One call as it travels: address, headers, access_token.
import { throwPlatform } from './api-error.ts';
import { type ClientState, type InternalOptions, type Query, serverSeconds } from './call.ts';
import { within } from './patience.ts';
import { freshNonce } from './random.ts';
import type { SignedIn } from './session-book.ts';
import { namedToken, signV3 } from './session-token.ts';
import { bodySha256, canonicalPath, canonicalQuery, signV1, signV2 } from './sign.ts';
import type { OutgoingCall } from './transport.ts';

const TIMEOUT_MS = 35_000;
const RANDOM_MS = 3000;

/** Each try needs its own: a signature is valid once. */
export async function callOf(
  caller: ClientState,
  verb: string,
  path: string,
  options: InternalOptions,
  session: SignedIn | null,
): Promise<OutgoingCall> {
  const { appId, privateKey, language } = caller;
  const { signal, idempotencyKey = '', timeoutMs = TIMEOUT_MS } = options;
  const isV1 = privateKey && options.signature === 'v1';
  const query = canonicalQuery(pairsOf(options.query || {}));
  const { body: given } = options;
  // undefined: there is none.
  const body = typeof given === 'string' ? given : (JSON.stringify(given) as string | undefined);
  if (body !== undefined && (verb === 'GET' || verb === 'HEAD')) throw new TypeError(`${verb} cannot have a body`);
  const url = caller.baseUrl + canonicalPath(path) + (query && `?${query}`);
  const headers: Record<string, string> = {};
  if (!privateKey && !session) headers['access-token'] = namedToken(appId);
  else {
    const nonce = await within(RANDOM_MS, () => freshNonce(caller.random)).catch(throwPlatform);
    const stamp = { appId, timeStamp: serverSeconds(caller), nonce };
    const call = { ...stamp, httpMethod: verb, path, query, body: body || '' };
    headers['access-token'] = !privateKey
      ? signV3({ ...call, ...(session as SignedIn), idempotencyKey })
      : isV1
        ? signV1({ ...stamp, privateKey, method: 'SHA1' })
        : signV2({ ...call, privateKey });
  }
  if (privateKey && session) headers.authorization = `Bearer ${session.session}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (body !== undefined && !isV1) headers['x-content-sha256'] = bodySha256(body);
  if (idempotencyKey) headers['idempotency-key'] = idempotencyKey;
  if (options.version !== undefined) headers['if-match'] = `"${options.version}"`;
  const mark = options.deviceMark && caller.deviceMarks.current();
  if (mark) headers['device-mark'] = mark;
  if (language) headers['accept-language'] = language;
  // During the waits. The program has been told already.
  if (signal?.aborted) throw new TypeError('aborted');
  return { method: verb, url, headers, body: body === undefined ? null : body, timeoutMs, ...(signal && { signal }) };
}

/** An array makes a name appear several times; undefined leaves it out. */
function pairsOf(query: Query): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of ([] as unknown[]).concat(value)) pairs.push([name, String(one)]);
  }
  return pairs;
}
