import { parseArgs } from 'node:util';
import { loadIdentity } from './identity.ts';
import { type MockOptions, startMockWechatPay } from './mock.ts';

const help = `mock-wechatpay: WeChat Pay v3 for one merchant on this machine

npm run mock:wechatpay -- [options]

  --port N            loopback port (default: a free port)
  --identity FILE     keep keys and numbers in FILE (created if missing), so that they are the same after a restart
  --notify-url URL    the notifyUrl of the printed configuration
  --keys MODE         key that signs answers and notifications: mixed (default), certificate, public-key
  --speed N           divide the waits between notifications by N
  --manual            the clock stands still until POST /_mock/advance
  --probes SHARE      share of deliveries with a wrongly signed probe before them, 0 to 1
  --refund-after MS   refunds succeed after MS (default 2000), or never
  --seed N            draw keys and probes the same way every time
  --help

The page at / pays an order with one click. GET /_mock/config returns the configuration, with the private key.
`;

/** Prints `ready <url>` when it answers; ends on SIGINT and SIGTERM. */
async function main(argv: string[]): Promise<void> {
  const options = readOptions(argv);
  if (options === 'help') {
    process.stdout.write(help);
    return;
  }
  if (options === null) {
    process.stderr.write(help);
    process.exitCode = 2;
    return;
  }
  const mock = await startMockWechatPay(options);
  process.stdout.write(`ready ${mock.url}\n`);
  const end = () => void mock.stop().then(() => process.exit(0));
  process.once('SIGINT', end).once('SIGTERM', end);
}

/** null: the options are wrong. */
function readOptions(argv: string[]): MockOptions | 'help' | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const known = { port: text, identity: text, 'notify-url': text, keys: text, speed: text, probes: text, seed: text };
  let values: Partial<Record<string, string | boolean>>;
  try {
    const options = { ...known, 'refund-after': text, manual: flag, help: flag };
    values = parseArgs({ args: argv, options, allowPositionals: false }).values;
  } catch {
    return null;
  }
  if (values.help === true) return 'help';
  const port = Number(values.port ?? 0);
  const speed = Number(values.speed ?? 1);
  const probeShare = Number(values.probes ?? 0);
  const refundAfter = values['refund-after'] ?? 2000;
  const refundAfterMs = refundAfter === 'never' ? null : Number(refundAfter);
  const seed = Number(values.seed ?? Date.now() % 2 ** 32);
  const keys = values.keys ?? 'mixed';
  if (keys !== 'mixed' && keys !== 'certificate' && keys !== 'public-key') return null;
  const fits = Number.isSafeInteger(port) && port >= 0 && port < 65_536 && Number.isSafeInteger(seed);
  if (
    !fits ||
    !(speed > 0) ||
    !(probeShare >= 0 && probeShare <= 1) ||
    (refundAfterMs !== null && !(refundAfterMs >= 0))
  )
    return null;
  return {
    port,
    speed,
    probeShare,
    seed,
    keys,
    manual: values.manual === true,
    ...(refundAfterMs === null ? {} : { refundAfterMs }),
    ...(typeof values.identity === 'string' ? { identity: loadIdentity(values.identity) } : {}),
    ...(typeof values['notify-url'] === 'string' ? { notifyUrl: values['notify-url'] } : {}),
  };
}

await main(process.argv.slice(2));
