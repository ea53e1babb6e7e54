import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nouns } from '../../portal/nouns.ts';
import { identityId } from '../../shared/account/identity.ts';
import { insertStatement } from '../../shared/account/identity-rows.ts';
import { makeResetToken } from '../../shared/account/password-reset.ts';
import { write } from '../../shared/db.ts';
import { chinaDayOf } from '../../shared/recharge/books/china-day.ts';
import { insertAccount } from '../support/known-accounts.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Verbs whose name says that something ends. A new one must declare what. */
const ENDING =
  /^(remove|delete|disable|revoke|clear|block|refund|adjust|approve|reject|reseal|accept|rotate|move|reset|unlink|merge|erase|settle|unsettle)/;

let stack: TestStack;
let app: TestApp;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let publicApp: string;
let userId: string;
let orderNo: string;
let closed: string;
let requests: [string, string];
/** One that is open, and one that is settled. */
let differences: [string, string];
let people: { named: string; identity: string; ending: string };
beforeAll(async () => {
  folder = await temporaryFolder('second-look');
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  const body = { account: 'demo', password: 'demo-password-1' };
  const { token, user } = (await stack.call(app, 'POST', '/login', { body })).body;
  userId = user.userId;
  orderNo = await newOrder(token);
  await portalJson(['recharge', 'pay', '--order', orderNo]);
  closed = await refundThatIsClosed();
  requests = await twoRequests();
  differences = await twoDifferences([await newOrder(token), await newOrder(token)]);
  people = await twoUsers();
  publicApp = (await portalJson(['app', 'create', '--name', 'mini', '--public'])).appId;
  await portalJson(['plugin', 'add', '--id', 'weather', '--server', 'http://127.0.0.1:9/push']);
  await portalJson(['channel', 'add', '--id', 'acme', ...CHANNEL]);
  await portalJson(['lock', 'set', '--target', 'POST /login', '--by', 'ip', '--limit', '9', '--window', '60']);
  await portalJson(['app', 'fields', '--app', app.appId, '--json-schema', schemaFile()]);
  const secret = fileOf('secret', 'a'.repeat(32));
  await portalJson(['app', 'wechat', '--app', app.appId, '--wechat-appid', 'wx7', '--secret-file', secret]);
  await portalJson(setMerchant('1450001'));
  await portalJson([...setMerchant('1450002'), '--merchant', '1450002']);
});
afterAll(() => folder.remove());

async function newOrder(session: string): Promise<string> {
  const headers = { 'idempotency-key': randomBytes(16).toString('hex') };
  const body = { productId: 'coins-100', provider: 'sandbox' };
  return (await stack.call(app, 'POST', '/recharge', { session, headers, body })).body.orderNo;
}

/** The sandbox closes none: the state is set by hand. */
async function refundThatIsClosed(): Promise<string> {
  const { refundNo } = await portalJson(['recharge', 'refund', '--order', orderNo, '--amount-fen', '3']);
  await stack.mysql.query("UPDATE refunds SET status = 'closed' WHERE refund_no = ?", [refundNo]);
  return refundNo;
}

/** Of another operator: small adjustments, above a limit that the commands themselves do not have. */
async function twoRequests(): Promise<[string, string]> {
  const environment = { ...process.env, TWO_PERSONS_UNITS: '1' };
  const ask = async (amount: string): Promise<string> => {
    const wallet = ['--app', app.appId, '--user', userId];
    const argv = ['recharge', 'adjust', ...wallet, '--amount', amount, '--reason', 'x', '--actor', 'ann', '--json'];
    return (await portalHere(argv, environment)).json.requestId;
  };
  return [await ask('2'), await ask('3')];
}

/** Payments at the sandbox that were not credited. */
async function twoDifferences(orders: readonly string[]): Promise<[string, string]> {
  const day = chinaDayOf(Date.now());
  for (const order of orders) await portalJson(['recharge', 'pay', '--order', order, '--no-notice']);
  const { json } = await portalHere(['recharge', 'reconcile', '--provider', 'sandbox', '--day', day, '--json']);
  const [open, settled] = json.differences.map(({ key }: { key: string }) => key);
  await portalJson(['recharge', 'settle-difference', '--difference', settled, '--reason', 'x']);
  return [open, settled];
}

/** Of whom one has a name, a WeChat identity and a token for a forgotten password. */
async function twoUsers() {
  const [named, ending] = [await insertAccount(stack.mysql), await insertAccount(stack.mysql)];
  const identity = { platform: 'wechat', platformApp: 'wx1', subject: 'openid-12345' } as const;
  await write(...insertStatement(named.userId, identity));
  await makeResetToken(named.userId, 'tester');
  return { named: named.userId, identity: identityId('wechat', 'wx1', 'openid-12345'), ending: ending.userId };
}

const CHANNEL = ['--verify', 'https://a.example/', '--login-server', 'a.example:7000'];
function fileOf(name: string, text: string): string {
  const file = join(folder.path, name);
  writeFileSync(file, text);
  return file;
}
const schemaFile = () => fileOf('schema.json', '{"type":"object","properties":{"level":{"type":"integer"}}}');
/** A merchant of virtual payment. */
const setMerchant = (offerId: string): string[] => {
  const config = { appId: 'wx7', offerId, env: 0, appKey: 'key', pushToken: 'token', encodingAesKey: 'a'.repeat(43) };
  const file = fileOf(`merchant-${offerId}.json`, JSON.stringify(config));
  return ['merchant', 'set', '--provider', 'xpay', '--json-config', file];
};
const keyOf = async (): Promise<string> => (await portalJson(['app', 'show', '--app', app.appId])).keys[0].keyId;
const asked: string[] = [];
const answer = (text: string) => async (question: string) => {
  asked.push(question);
  return text;
};
/** The rows that operators' commands change, as text. */
async function state(): Promise<string> {
  const tables = [
    'apps',
    'app_keys',
    'plugins',
    'channels',
    'lock_rules',
    'lock_blocks',
    'notices',
    'products',
    'items',
  ];
  const rows = [
    ...tables,
    'users',
    'identities',
    'password_resets',
    'refunds',
    'ledger_entries',
    'money_requests',
    'settled_differences',
    'deployment',
    'mini_programs',
    'merchants',
    'app_merchants',
    'audit_log',
  ].map(async (table) => {
    const [found] = await stack.mysql.query(`SELECT * FROM ${table}`);
    return found;
  });
  return JSON.stringify(await Promise.all(rows));
}

/** Each line ends, removes or replaces something that exists; the text is in its summary. */
const commands = async (): Promise<Array<[argv: string[], summary: string]>> => [
  [['recharge', 'refund', '--order', orderNo, '--amount-fen', '1'], '1 fen of'],
  [['recharge', 'refund-redo', '--refund', closed], 'as a new refund'],
  [['recharge', 'adjust', '--app', app.appId, '--user', userId, '--amount', '7', '--reason', 'x'], 'will have'],
  [['recharge', 'grant', '--app', app.appId, '--user', userId, '--amount', '7', '--reason', 'x'], 'will have'],
  [['recharge', 'approve', '--request', requests[0]], 'asked by ann'],
  [['recharge', 'reject', '--request', requests[1]], 'It will not be executed'],
  [
    ['recharge', 'settle-difference', '--difference', differences[0], '--reason', 'agreed'],
    'It will no longer count as open',
  ],
  [['recharge', 'unsettle-difference', '--difference', differences[1]], 'It will count as open again'],
  [['lock', 'block', '--target', 'data:notice', '--seconds', '60'], 'blocked for everybody'],
  [
    ['lock', 'set', '--target', 'POST /login', '--by', 'ip', '--limit', '5', '--window', '60'],
    'it was 9 calls in 60 s',
  ],
  [['lock', 'set', '--target', 'GET /me', '--by', 'ip', '--limit', '0', '--window', '60'], 'refuses every call'],
  [['lock', 'clear', '--target', 'POST /login'], '1 rules and 0 blocks'],
  [['app', 'fields', '--app', app.appId, '--remove'], '"level"'],
  [
    ['app', 'scopes', '--app', app.appId, '--remove', 'recharge'],
    'calls that need recharge will be refused within 60 s',
  ],
  [['app', 'rotate-key', '--app', app.appId], 'will end in 24 h'],
  [
    ['app', 'revoke-key', '--app', app.appId, '--key', await keyOf()],
    'will be refused, for calls that change something at once',
  ],
  [['app', 'public', '--app', publicApp, '--off'], 'all its signed sessions will be refused'],
  [
    ['app', 'merchant', '--app', app.appId, '--provider', 'xpay', '--merchant', '1450002'],
    'will go to merchant 1450002, and not to 1450001',
  ],
  [['app', 'wechat', '--app', app.appId, '--remove'], 'its mini-program wx7 will be WECHAT_APPID'],
  [
    ['app', 'client-spend', '--app', app.appId, '--client-spend', 'off'],
    'all spends of the client will be refused within 60 s',
  ],
  [['item', 'put', '--id', 'hat', '--title', 'Cap', '--amount', '9'], 'it is 帽子 · Hat, at 3 units'],
  [['app', 'disable', '--app', app.appId], `App ${app.appId} (test) will be refused`],
  [['wechat', 'token', '--wechat-appid', stack.env.WECHAT_APPID ?? '', '--refresh'], 'will be replaced'],
  [['user', 'disable', '--user', userId], '(demo) will be logged out'],
  [['user', 'reset-password', '--user', people.named], 'made before will end'],
  [['user', 'unlink', '--user', people.named, '--identity', people.identity], 'wechat wx1 ****2345 of user'],
  [['user', 'merge', '--from', people.ending, '--into', people.named], `User ${people.ending} will end`],
  [['data', 'put', 'notice', '1', '--json-body', NOTICE], 'exists and will be replaced'],
  [['data', 'put', 'notice', '1', '--member', 'title=Shut'], 'title will be "Shut", it was "'],
  [['data', 'delete', 'notice', '1'], 'will be deleted'],
  [['product', 'put', '--id', 'coins-100', '--title', 'x', '--amount-fen', '9', '--units', '9'], 'units for'],
  [['channel', 'add', '--id', 'acme', ...CHANNEL], 'a.example:7000 will be replaced'],
  [['channel', 'remove', '--id', 'acme'], 'can no longer log in'],
  [
    ['plugin', 'move', '--id', 'weather', '--server', 'http://127.0.0.1:10/'],
    'no longer go to http://127.0.0.1:9/push',
  ],
  [['plugin', 'rotate-secret', '--id', 'weather'], 'will end in 24 h'],
  [['plugin', 'remove', '--id', 'weather'], 'no tokens are issued'],
  [setMerchant('1450001'), 'its settings will be replaced'],
  [setMerchant('1450003'), 'will go to another merchant than 1450001'],
  [['merchant', 'remove', '--provider', 'xpay', '--merchant', '1450001'], 'will be removed'],
  [['master-key', 'reseal'], 'will seal every secret'],
  [['master-key', 'accept'], 'only for a key that is lost'],
];
const NOTICE = '{"title":"Open","body":"Nine to five","publishedAt":"2026-01-01T09:00:00Z"}';

describe('a command that ends, removes or replaces something', () => {
  test('on a terminal shows what it will do, asks, and changes nothing without a yes', async () => {
    for (const [argv, summary] of await commands()) {
      for (const text of ['', 'yes please']) {
        asked.length = 0;
        const before = await state();
        const run = await portalHere(argv, process.env, answer(text));
        expect([argv, run.code, asked]).toEqual([argv, 1, ['Continue? (y/N) ']]);
        expect(run.stdout, argv.join(' ')).toContain(summary);
        expect(run.stderr).toContain('Nothing was changed.');
        expect(await state(), argv.join(' ')).toBe(before);
      }
    }
  });

  test('declares it once, in its verb: each verb with such a name does', async () => {
    const declared = [];
    for (const [name, load] of Object.entries(nouns)) {
      for (const [verbName, { destructive }] of Object.entries((await load()).verbs)) {
        if (destructive) declared.push(`${name} ${verbName}`);
        else expect(`${name} ${verbName}`).not.toMatch(new RegExp(ENDING.source.replace('^', ' ')));
      }
    }
    const tested = new Set((await commands()).map(([[noun, verb]]) => `${noun} ${verb}`));
    // Those that need a provider have tests of their own.
    const elsewhere = ['recharge refund-cancel', 'recharge refund-book'];
    expect(declared.filter((command) => !tested.has(command) && !elsewhere.includes(command))).toEqual([]);
  });

  test('without a terminal acts and prints the same summary; the answer on standard output is unchanged', async () => {
    for (const [argv, summary] of await commands()) {
      const run = await portalHere([...argv, '--json']);
      expect([argv, run.code]).toEqual([argv, 0]);
      expect(run.stderr, argv.join(' ')).toContain(summary);
      expect(run.stdout.split('\n')).toHaveLength(1);
      expect(run.json).toBeDefined();
    }
  });

  test('does not ask when nothing would be lost, or with --yes', async () => {
    const nobody = () => Promise.reject(new Error('asked'));
    const run = (...argv: string[]) => portalHere(argv, process.env, nobody);
    expect(await run('app', 'disable', '--app', app.appId)).toMatchObject({ code: 0 });
    expect(await run('channel', 'add', '--id', 'new', ...CHANNEL)).toMatchObject({ code: 0 });
    expect(await run('data', 'put', 'notice', '999999', '--json-body', NOTICE)).toMatchObject({ code: 0 });
    expect(await run('lock', 'block', '--target', 'data:notice', '--seconds', '60', '--ip', '192.0.2.1')).toMatchObject(
      {
        code: 0,
      },
    );
    expect(await run('lock', 'clear', '--target', 'data:notice', '--yes')).toMatchObject({ code: 0 });
  });

  test.each([
    [['lock', 'block', '--target', 'data:notice', '--seconds', 'soon']],
    [['lock', 'set', '--target', 'POST /login', '--by', 'ip', '--limit', '0', '--window', 'x']],
    [['product', 'put', '--id', 'coins-100', '--title', 'x', '--amount-fen', '1.5', '--units', '1']],
    [['channel', 'add', '--id', 'acme', '--verify', 'nowhere', '--login-server', 'a.example:7000']],
    [['data', 'put', 'notice', '1', '--json-body', '[']],
  ])('is not asked about when its options are wrong: %j', async (argv) => {
    const run = await portalHere(argv, process.env, () => Promise.reject(new Error('asked')));
    expect(run).toMatchObject({ code: 2, stdout: '' });
  });

  test('is not asked about when the record would be refused', async () => {
    const put = ['data', 'put', 'notice', '1', '--json-body', '{"title":1}'];
    const run = await portalHere(put, process.env, () => Promise.reject(new Error('asked')));
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('title') });
  });

  test('shows a stored text without the marks that would change what the terminal shows', async () => {
    const put = ['product', 'put', '--id', 'hostile', '--amount-fen', '1', '--units', '1', '--title'];
    const title = 'A\u202e\u2066\u2028B 👨‍👩‍👧 张三';
    const shown = 'A\\u{202e}\\u{2066}\\u{2028}B 👨‍👩‍👧 张三';
    await portalJson([...put, title]);
    expect((await portalHere(['product', 'list'])).stdout).toContain(shown);
    expect((await portalHere([...put, title])).stderr).toContain(`it is ${shown}, 1 units`);
    const { stdout, json } = await portalHere(['product', 'list', '--json', '--actor', '\x1b[2K\nA']);
    expect(stdout).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
    expect(json.products).toContainEqual(expect.objectContaining({ title }));
    expect(await portalHere([...put, 'half \ud83d'])).toMatchObject({ code: 2 });
  });

  test('shows the name of an operator, and a mistyped word, without control characters', async () => {
    await portalJson(['user', 'enable', '--user', userId, '--actor', '\x1b[2KA\x9b']);
    expect((await portalHere(['operator-log', 'list'])).stdout).toContain('\\u{1b}[2KA\\u{9b}');
    expect((await portalHere(['app', 'show', '--app', '\x1b]0;x\x07'])).stderr).toContain('\\u{1b}]0;x\\u{7}');
  });

  test('with a yes does it, and in Chinese takes the Chinese word too', async () => {
    asked.length = 0;
    await portalJson(['app', 'enable', '--app', app.appId]);
    const run = await portalHere(['app', 'disable', '--app', app.appId, '--lang', 'zh'], process.env, answer('是'));
    expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining('将被拒绝') });
    expect(asked).toEqual(['继续吗？(y/N) ']);
    expect(await portalJson(['app', 'show', '--app', app.appId])).toMatchObject({ disabled: true });
  });
});
