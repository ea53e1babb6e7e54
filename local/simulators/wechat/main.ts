import { parseArgs } from 'node:util';
import { announce } from '../loopback-server.ts';
import { startWechatSimulator } from './index.ts';

/** Prints `ready <url>` when it answers; ends on SIGINT and SIGTERM. */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    appid: { type: 'string', default: 'wx0000000000000000' },
    secret: { type: 'string' },
    unionid: { type: 'boolean', default: false },
  },
});
if (values.secret === undefined) {
  console.error('usage: tsx local/simulators/wechat/main.ts --secret S [--appid A] [--unionid] [--port N]');
  process.exit(2);
}
announce(await startWechatSimulator({ ...values, secret: values.secret, port: Number(values.port), devCodes: true }));
