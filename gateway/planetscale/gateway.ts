import type { IncomingMessage, ServerResponse } from 'node:http';
import { callerGone, NEVER_GONE } from '../caller.ts';
import { type EngineAnswer, type GatewayFault, underFault } from '../faults.ts';
import { BodyTooLarge, isLoopback, listen, prometheus, readBody, refuseUnread, send } from '../http.ts';
import { credentials, type Principal, principal } from './credentials.ts';
import { CallerGone, Unreachable } from './errors.ts';
import { Executor } from './execute.ts';
import type { MysqlServer } from './link.ts';
import type { ReplicaState } from './replica-watch.ts';
import { openSession, SessionSignatureError, signSession } from './session.ts';

export interface PlanetscaleGatewayOptions {
  primary: MysqlServer;
  /** Read-only copies of `primary`; they serve replica credentials and `USE @replica` in turn. */
  replicas?: Array<Omit<MysqlServer, 'database'>>;
  /** A replica that is further behind, or whose lag is unknown, takes no reads. Unset: the lag is not checked. */
  replicaMaxLagSeconds?: number;
  /** Called when a replica begins or stops taking reads. */
  onReplicaChange?: (state: ReplicaState) => void;
  username: string;
  password: string;
  replicaUsername?: string;
  replicaPassword?: string;
  host?: string;
  /** A free one is taken when it is 0 or absent. */
  port?: number;
  /** Called for every request; may return a fault to inject into it. `sql` is absent outside Execute. */
  intercept?: (request: { method: string; sql?: string }) => GatewayFault | undefined;
  transactionSeconds?: number;
  /** Connections to each server for queries, and as many again for transactions. */
  poolSize?: number;
  /** How long a statement waits for a connection before it is refused. */
  poolWaitSeconds?: number;
}

export interface PlanetscaleGateway {
  /** For the `url` option of the client, with the credentials. */
  url: string;
  /** The same with the replica credentials; absent without replicas or without such credentials. */
  replicaUrl?: string;
  stats(): { requests: number };
  resetStats(): void;
  stop(): Promise<void>;
}

const SERVICE = '/psdb.v1alpha1.Database/';
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * Offers PlanetScale's HTTP API on top of a MySQL or MariaDB, for the unchanged @planetscale/database client. It also
 * starts while MySQL is down; statements get 503 until a server answers. `/metrics` and `/ready` need no credentials on
 * loopback.
 */
export async function startPlanetscaleGateway(options: PlanetscaleGatewayOptions): Promise<PlanetscaleGateway> {
  const { primary, replicas = [], username, password, replicaUsername, replicaPassword } = options;
  if (password === '' || replicaPassword === '')
    throw new Error('the password is empty; set one, it is the only protection');
  const executor = new Executor(
    primary,
    replicas.map((replica) => ({ ...replica, database: primary.database })),
    {
      size: options.poolSize ?? 20,
      waitSeconds: options.poolWaitSeconds ?? 5,
      transactionSeconds: options.transactionSeconds ?? 20,
    },
    options.replicaMaxLagSeconds === undefined
      ? undefined
      : { maxLagSeconds: options.replicaMaxLagSeconds, onChange: options.onReplicaChange ?? (() => {}) },
  );
  await executor.start();
  const principals = [principal(username, password, 'primary')];
  if (replicaUsername !== undefined && replicaPassword !== undefined) {
    principals.push(principal(replicaUsername, replicaPassword, 'replica'));
  }
  const counts = { requests: 0, total: 0, statements: 0, refused: 0, unreachable: 0, unauthenticated: 0, abandoned: 0 };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const [user, secret] = credentials(request);
    const caller = principals.find(({ matches }) => matches(user, secret));
    if (request.method === 'GET' && (caller || isLoopback(request))) {
      if (path === '/metrics') return send(request, response, metrics());
      if (path === '/ready') return send(request, response, await readiness());
    }
    counts.requests += 1;
    counts.total += 1;
    if (!caller) return refuseUnread(request, response, unauthenticated());
    const method = path.startsWith(SERVICE) ? path.slice(SERVICE.length) : path;
    const body = await readBody(request, response, MAX_BODY_BYTES).catch((error: unknown) => {
      if (error instanceof BodyTooLarge) return undefined;
      throw error;
    });
    if (!body) return send(request, response, tooLarge);
    const message = parseObject(body);
    const sql = typeof message?.query === 'string' ? message.query : undefined;
    const fault = options.intercept?.(sql === undefined ? { method } : { method, sql });
    const gone = fault === undefined ? callerGone(response) : NEVER_GONE;
    const answer = await underFault(fault, () => respond(request, method, message, caller, gone));
    if (gone.aborted) counts.abandoned += 1;
    if (answer === 'drop') response.destroy();
    else if (answer !== 'hang') send(request, response, answer);
  }

  async function respond(
    request: IncomingMessage,
    method: string,
    message: Message | undefined,
    caller: Principal,
    gone: AbortSignal,
  ): Promise<EngineAnswer> {
    if (request.method !== 'POST') return failure(405, 'unimplemented', 'only POST is served');
    if (!message) return failure(400, 'invalid_argument', 'the request body is not a JSON object');
    try {
      const session = openSession(message.session, caller.sessionKey, caller.tablet);
      if (method === 'CreateSession') {
        const user = { username: caller.username, psid: 'local' };
        return json(200, { branch: 'main', user, session: signSession(session, caller.sessionKey) });
      }
      if (method === 'CloseSession') {
        if (session.inTransaction) await executor.execute(caller, session, 'ROLLBACK', gone);
        return json(200, { session: signSession(session, caller.sessionKey) });
      }
      if (method !== 'Execute') return failure(404, 'unimplemented', 'unknown method');
      if (typeof message.query !== 'string') return failure(400, 'invalid_argument', 'query must be a string');
      const started = performance.now();
      const outcome = await executor.execute(caller, session, message.query, gone);
      counts.statements += 1;
      const timing = (performance.now() - started) / 1000;
      const signed = signSession(session, caller.sessionKey);
      if ('result' in outcome) return json(200, { session: signed, result: outcome.result, timing });
      counts.refused += 1;
      return json(200, { session: signed, error: { code: 'UNKNOWN', message: outcome.error }, timing });
    } catch (error) {
      if (error instanceof SessionSignatureError) return failure(400, 'invalid_argument', 'session signature mismatch');
      // Nobody reads this answer.
      if (error instanceof CallerGone) return failure(499, 'canceled', 'the caller has disconnected');
      if (!(error instanceof Unreachable)) return failure(500, 'internal', 'internal error');
      counts.unreachable += 1;
      return failure(503, 'unavailable', error.message);
    }
  }

  function unauthenticated(): EngineAnswer {
    counts.unauthenticated += 1;
    return failure(401, 'unauthenticated', 'invalid auth credentials');
  }

  async function readiness(): Promise<EngineAnswer> {
    const ready = await executor.isPrimaryReady();
    return json(ready ? 200 : 503, { status: ready ? 'ready' : 'unavailable', replicas: executor.replicas });
  }

  function metrics(): EngineAnswer {
    const counters = prometheus({
      planetscale_gateway_requests_total: { help: 'HTTP requests.', value: counts.total },
      planetscale_gateway_statements_total: {
        help: 'Statements that MySQL or the gateway answered.',
        value: counts.statements,
      },
      planetscale_gateway_refused_total: {
        help: 'Statements that were answered with an error.',
        value: counts.refused,
      },
      planetscale_gateway_unreachable_total: {
        help: 'Requests answered with 503, because no MySQL server could be reached.',
        value: counts.unreachable,
      },
      planetscale_gateway_unauthenticated_total: {
        help: 'Requests answered with 401.',
        value: counts.unauthenticated,
      },
      planetscale_gateway_abandoned_total: {
        help: 'Requests whose caller disconnected before the answer.',
        value: counts.abandoned,
      },
    });
    const gauges = [
      ['planetscale_gateway_transactions_open', executor.transactions.size],
      ['planetscale_gateway_connections_in_use', executor.connectionsInUse],
      ['planetscale_gateway_replicas_serving', executor.replicas.filter(({ takesReads }) => takesReads).length],
    ].map(([name, value]) => `# TYPE ${name} gauge\n${name} ${value}\n`);
    return { ...counters, body: `${counters.body}${gauges.join('')}` };
  }

  const { host, port, stop } = await listen(serve, { host: options.host ?? '127.0.0.1', port: options.port ?? 0 });
  const urlFor = (user: string, secret: string): string =>
    `http://${encodeURIComponent(user)}:${encodeURIComponent(secret)}@${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    url: urlFor(username, password),
    ...(replicas.length > 0 && replicaUsername !== undefined && replicaPassword !== undefined
      ? { replicaUrl: urlFor(replicaUsername, replicaPassword) }
      : {}),
    stats: () => ({ requests: counts.requests }),
    resetStats: () => {
      counts.requests = 0;
    },
    stop: async () => {
      await stop();
      await executor.close();
    },
  };
}

interface Message {
  query?: unknown;
  session?: unknown;
}

function parseObject(body: Buffer): Message | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8') || '{}');
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function json(status: number, value: object): EngineAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

const tooLarge = failure(413, 'resource_exhausted', `the request is larger than ${MAX_BODY_BYTES} bytes`);

/** The client turns it into a DatabaseError. `code` is an error code of the Connect protocol. */
function failure(status: number, code: string, message: string): EngineAnswer {
  return json(status, { error: { code, message } });
}
