/** HTTP requests that reached each engine. */
export interface Requests {
  redis: number;
  mysql: number;
}

export interface Meter {
  read(): Promise<Requests>;
}

/** Reads the counts at `/metrics` of the gateways. undefined: the engines are not behind our gateways. */
export async function openMeter(env: Record<string, string | undefined>): Promise<Meter | undefined> {
  const redisUrl = new URL('/metrics', env.UPSTASH_REDIS_REST_URL);
  const mysql = new URL(env.DATABASE_URL ?? '');
  const mysqlUrl = new URL(`http://${mysql.host}/metrics`);
  const meter: Meter = {
    async read() {
      const [redis, statements] = await Promise.all([
        counterAt(redisUrl, 'gateway_upstash_requests_total'),
        counterAt(mysqlUrl, 'planetscale_gateway_requests_total'),
      ]);
      return { redis, mysql: statements };
    },
  };
  try {
    await meter.read();
    return meter;
  } catch {
    return undefined;
  }
}

async function counterAt(url: URL, name: string): Promise<number> {
  const text = await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
  const value = new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`${url.host} does not report ${name}`);
  return Number(value);
}
