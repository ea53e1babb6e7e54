import { createInterface } from 'node:readline';
import { startUpstashGateway } from '../gateway/upstash/gateway.ts';

/** The Redis gateway in a process of its own, so that its CPU is not counted as a caller's. Answers each line with its counts. */
const [host = '', port = '', token = ''] = process.argv.slice(2);
const gateway = await startUpstashGateway({ redis: { host, port: Number(port) }, token });
console.log(gateway.url);
createInterface({ input: process.stdin })
  .on('line', () => console.log(JSON.stringify(gateway.stats())))
  .on('close', () => process.exit(0));
