import { createInterface } from 'node:readline';
import { startUpstashGateway } from '../gateway/upstash/gateway.ts';

/** The Redis gateway in its own process, so that its CPU is not the caller's. Prints its counts for each input line. */
const [host = '', port = '', token = ''] = process.argv.slice(2);
const gateway = await startUpstashGateway({ redis: { host, port: Number(port) }, token });
console.log(gateway.url);
createInterface({ input: process.stdin })
  .on('line', () => console.log(JSON.stringify(gateway.stats())))
  .on('close', () => process.exit(0));
