import { parseArgs } from 'node:util';
import { createClient, fetchTransport } from '../../client/miniapp-client.ts';
import { createPluginServer, type PluginServerOptions } from '../../client/plugin-server.ts';
import {
  announce,
  type Fault,
  isStartedAs,
  type SimulatedAnswer,
  type SimulatedRequest,
  startLoopbackServer,
} from './loopback-server.ts';

export interface PluginServerSimulator {
  /** Base URL; `GET /service` with the header `plugin-token` serves (rows D5 and D6 (use of a plugin token)). */
  url: string;
  /** Register it as the plugin's server (row D4 (push)). */
  pushUrl: string;
  /** All pushes that the library received, with the status of the answer. */
  received: { webhookId: string; body: string; status: number }[];
  misbehave(fault: Fault | null): void;
  stop(): Promise<void>;
}

/** A small plugin server. It keeps pushed token hashes, checks the tokens of requests, and serves their users. */
export async function startPluginServer(
  options: PluginServerOptions & { port?: number },
): Promise<PluginServerSimulator> {
  const plugin = createPluginServer(options);
  const received: PluginServerSimulator['received'] = [];
  const visits = new Map<string, number>();

  async function takePush({ headers, body }: SimulatedRequest): Promise<SimulatedAnswer> {
    const answer = await plugin.receivePush(headers, body);
    received.push({ webhookId: String(headers['webhook-id']), body: body.toString('utf8'), status: answer.status });
    return answer;
  }

  async function serveUser({ headers }: SimulatedRequest): Promise<SimulatedAnswer> {
    const token = headers['plugin-token'];
    let user: { userId: string; expiresAt: string } | null;
    try {
      user = await plugin.authenticate(typeof token === 'string' ? token : undefined);
    } catch {
      return { status: 503, body: { error: 'unavailable' }, headers: { 'retry-after': '1' } };
    }
    if (user === null) return { status: 401, body: { error: 'plugin_token_refused' } };
    const visit = (visits.get(user.userId) ?? 0) + 1;
    visits.set(user.userId, visit);
    return { status: 200, body: { pluginId: options.pluginId, ...user, greeting: `Hello, ${user.userId}`, visit } };
  }

  const server = await startLoopbackServer((request) => {
    if (request.method === 'POST' && request.path === '/push') return takePush(request);
    if (request.method === 'GET' && request.path === '/service') return serveUser(request);
    return { status: 404, body: { error: 'not_found' } };
  }, options.port);
  return { ...server, pushUrl: `${server.url}/push`, received };
}

const USAGE = `usage: tsx local/simulators/plugin-server.ts --plugin ID --secret whsec_... [--secret ...] [--port N]
  [--backend URL --app-id A --private-key K]   asks the business backend about tokens that no push announced`;

/** undefined: --help was given, or the options are wrong. */
function readCommand() {
  const options = {
    port: { type: 'string', default: '0' },
    plugin: { type: 'string' },
    secret: { type: 'string', multiple: true },
    backend: { type: 'string' },
    'app-id': { type: 'string' },
    'private-key': { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (!values.help) return values;
    console.log(USAGE);
  } catch (error) {
    console.error(`${(error as Error).message.split('. ')[0]}.\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}

if (isStartedAs(import.meta.url)) {
  const values = readCommand();
  if (!values) process.exit();
  const {
    plugin: pluginId,
    secret: pushSecrets,
    backend: baseUrl,
    'app-id': appId,
    'private-key': privateKey,
  } = values;
  if (pluginId === undefined || pushSecrets === undefined) {
    console.error(USAGE);
    process.exit(2);
  }
  const options = { pluginId, pushSecrets, port: Number(values.port) };
  if (baseUrl !== undefined && appId !== undefined && privateKey !== undefined) {
    const backend = createClient({ baseUrl, appId, privateKey, transport: fetchTransport(fetch) });
    const validate = (pluginToken: string) => backend.validatePluginToken(pluginId, pluginToken);
    announce(await startPluginServer({ ...options, validate }));
  } else {
    announce(await startPluginServer(options));
  }
}
