import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ApiContext, findRoute, type WechatPayAnswer } from './api.ts';
import type { ApiFault, Faults } from './fault.ts';
import type { KeyKind } from './identity.ts';
import { ApiRefusal } from './orders.ts';

export interface LoggedCall {
  readonly method: string;
  readonly path: string;
  /** null: no answer, because of a fault. */
  readonly status: number | null;
}

interface ApiServing extends ApiContext {
  readonly faults: Faults;
  readonly nextKey: () => KeyKind;
  readonly log: (call: LoggedCall) => void;
}

const refusals: Partial<Record<ApiFault, [status: number, code: string]>> = {
  'system-error': [500, 'SYSTEM_ERROR'],
  'system-error-after': [500, 'SYSTEM_ERROR'],
  'rate-limit': [429, 'RATELIMIT'],
  'user-paying': [202, 'USERPAYING'],
  'not-enough': [403, 'NOT_ENOUGH'],
};
/** WeChat's status of some codes that refuse a refund; all others are 400. */
const statusOf: Record<string, number> = {
  USER_ACCOUNT_ABNORMAL: 403,
  NOT_ENOUGH: 403,
  NO_AUTH: 403,
  RESOURCE_NOT_EXISTS: 404,
  MCH_NOT_EXISTS: 404,
  SIGN_ERROR: 401,
  FREQUENCY_LIMITED: 429,
  SYSTEM_ERROR: 500,
};

/** null: the call is not refused. */
function refusalOf(ordered: ReturnType<Faults['nextForCall']>): [status: number, code: string] | null {
  if (ordered === null) return null;
  const { kind, code = '' } = ordered;
  return kind === 'refuse-refund' ? [statusOf[code] ?? 400, code] : (refusals[kind] ?? null);
}

const takeEffect: readonly (ApiFault | null)[] = [
  null,
  'system-error-after',
  'drop-after',
  'hang',
  'wrong-signature',
  'unsigned',
];

/** Serves one call of API v3: checks the caller, applies a fault, does the work, signs the answer. */
export async function serveApi(request: IncomingMessage, response: ServerResponse, serving: ApiServing): Promise<void> {
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const [path = '/'] = target.split('?');
  const body = await readAll(request);
  const route = findRoute(method, target, body, serving);
  const isMerchant = serving.signer.isMerchant(request.headers.authorization, method, target, body, serving.now());
  if (route === null || !isMerchant) {
    const answer = route === null ? refused(404, 'NOT_FOUND') : refused(401, 'SIGN_ERROR');
    serving.log({ method, path, status: answer.status });
    // WeChat cannot sign an answer for an unknown merchant.
    respond(response, answer, {});
    return;
  }
  if (route.call === null) {
    const answer = run(route.run);
    if (typeof answer.content === 'string') {
      serving.log({ method, path, status: answer.status });
      response.writeHead(answer.status, { 'content-type': 'text/plain; charset=utf-8' }).end(answer.content);
      return;
    }
  }
  const ordered = route.call === null ? null : serving.faults.nextForCall(route.call);
  const fault = ordered?.kind ?? null;
  const done = takeEffect.includes(fault) ? run(route.run) : refused(500, 'SYSTEM_ERROR');
  if (fault === 'drop-before' || fault === 'drop-after' || fault === 'hang') {
    serving.log({ method, path, status: null });
    if (fault !== 'hang') request.socket.destroy();
    return;
  }
  if (fault === 'bad-gateway') {
    serving.log({ method, path, status: 502 });
    response.writeHead(502, { 'content-type': 'text/html' }).end('<html>bad gateway</html>');
    return;
  }
  const [status, code] = refusalOf(ordered) ?? [null, ''];
  const answer = status === null ? done : refused(status, code);
  const text = answer.content === null ? '' : JSON.stringify(answer.content);
  // A merchant that names its public key gets that key. Otherwise the mode decides.
  const asked =
    String(request.headers['wechatpay-serial'] ?? '').startsWith('PUB_KEY_ID_') && serving.keyMode !== 'mixed';
  const kind = asked ? 'public-key' : serving.nextKey();
  const signature = serving.signer.sign(fault === 'wrong-signature' ? `${text} ` : text, kind, serving.now());
  serving.log({ method, path, status: answer.status });
  respond(response, answer, fault === 'unsigned' ? {} : signature);
}

function run(work: () => WechatPayAnswer): WechatPayAnswer {
  try {
    return work();
  } catch (error) {
    if (error instanceof ApiRefusal)
      return { status: error.status, content: { code: error.code, message: error.message } };
    throw error;
  }
}

function refused(status: number, code: string): WechatPayAnswer {
  return { status, content: { code, message: code.toLowerCase().replaceAll('_', ' ') } };
}

function respond(response: ServerResponse, answer: WechatPayAnswer, signature: Record<string, string>): void {
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'Request-ID': randomBytes(12).toString('hex'),
    ...signature,
  };
  response.writeHead(answer.status, headers).end(answer.content === null ? undefined : JSON.stringify(answer.content));
}

export async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
