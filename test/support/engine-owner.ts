// A process that starts engines and never stops them; engines.drill.test.ts kills it. Prints the pids and the folders.
import { startMysql, startRedis } from '../../local/engines/engines.ts';

const directory = process.argv[2] ?? '';
const redis = await startRedis({ directory: `${directory}/redis`, persist: true, own: true });
const mysql = await startMysql({ directory: `${directory}/mysql`, own: true });
process.stdout.write(`${JSON.stringify({ pids: [redis.pid, mysql.pid], redis: redis.url })}\n`);
if (process.argv[3] === 'stay') setInterval(() => {}, 1000);
