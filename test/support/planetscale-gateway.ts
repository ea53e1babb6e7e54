import { Client } from '@planetscale/database';
import {
  type PlanetscaleGateway,
  type PlanetscaleGatewayOptions,
  startPlanetscaleGateway,
} from '../../gateway/planetscale/gateway.ts';
import { freshDatabase } from './engines.ts';

export interface GatewayOverDatabase extends PlanetscaleGateway {
  client: Client;
  database: string;
  /** The URL to post to, without the credentials. */
  origin: string;
}

export const username = 'wendy';
/** Contains the characters that URLs escape. */
export const password = 'p@ss/w:rd%41?';

/** A gateway with its own new database; `stop` removes both. */
export async function gatewayOverFreshDatabase(
  options: Partial<PlanetscaleGatewayOptions> = {},
): Promise<GatewayOverDatabase> {
  const { drop, host, port, user, password: secret, database } = await freshDatabase('psdb');
  const primary = { host, port, user, password: secret, database };
  const gateway = await startPlanetscaleGateway({ primary, username, password, ...options });
  const stop = async (): Promise<void> => {
    await gateway.stop();
    await drop();
  };
  const client = new Client({ url: gateway.url });
  return { ...gateway, stop, client, database, origin: `http://${new URL(gateway.url).host}` };
}

/** The error that `work` rejects with. Fails if `work` succeeds. */
export async function failureOf(work: Promise<unknown>): Promise<Error & { status?: number; body?: unknown }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it succeeded');
}
