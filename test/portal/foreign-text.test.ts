import { beforeAll, describe, expect, test } from 'vitest';
import { nouns } from '../../portal/nouns.ts';
import { findUser } from '../../shared/account/admin.ts';
import { query, withTransaction, write } from '../../shared/db.ts';
import { portalHere } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
let session: string;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  const body = { account: 'demo', password: 'demo-password-1' };
  session = (await stack.call(app, 'POST', '/login', { body })).body.token;
});

/** Texts that a person types or pastes, and that a column of identifiers cannot hold. */
const TEXTS = ['张三', 'zoë', '😀', '\u202e1', 'Ａ１', "o'; --", '%', '\\', ' ', 'x'.repeat(65), 'é'.repeat(65)];

describe('a text that no identifier can be', () => {
  test.each(TEXTS)('%j names nobody: the answer of "user find" is "no user"', async (text) => {
    for (const by of ['account', 'openid', 'user', 'unionid'] as const) {
      const run = await portalHere(['user', 'find', `--${by}`, text]);
      expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no user with this') });
      expect(await findUser(by, text)).toBeNull();
    }
  });

  test('is refused or not found by every option of every verb, and never an error of the database', async () => {
    const valid: Record<string, string> = {
      target: 'data:notice',
      seconds: '60',
      by: 'ip',
      limit: '9',
      window: '60',
      'amount-fen': '1',
      units: '1',
      title: 'x',
      name: 'x',
      server: 'http://127.0.0.1:9/',
      verify: 'https://a.example/',
      'login-server': 'a.example:1',
    };
    const seen: string[] = [];
    for (const [name, load] of Object.entries(nouns)) {
      for (const [verbName, { options, operands = [], standalone }] of Object.entries((await load()).verbs)) {
        if (standalone || `${name} ${verbName}`.startsWith('master-key')) continue;
        const words = [name, verbName, ...operands.map((_, place) => (place === 0 ? 'notice' : '1'))].filter(Boolean);
        const named = Object.entries(options).filter(([, { value }]) => value !== null);
        for (const [under] of named) {
          for (const text of ['张三', '😀'.repeat(40)]) {
            const given = named.flatMap(([option, { required }]) =>
              option === under ? [`--${option}`, text] : required ? [`--${option}`, valid[option] ?? 'x1'] : [],
            );
            const { code, stdout, stderr } = await portalHere([...words, ...given]);
            seen.push(`${words.join(' ')} --${under}`);
            expect([0, 1, 2], `${words.join(' ')} ${given.join(' ')}`).toContain(code);
            expect(stdout + stderr, `${words.join(' ')} ${given.join(' ')}`).not.toMatch(
              /refused a statement|is a bug/,
            );
          }
        }
      }
    }
    expect(seen).toEqual(expect.arrayContaining(['user find --openid', 'app show --app', 'recharge show --order']));
  });

  test('finds no row and changes none, inside a transaction too', async () => {
    expect(await query('SELECT * FROM apps WHERE app_id = ?', ['张三'])).toEqual([]);
    expect(await query('SELECT * FROM apps WHERE app_id IN (?, ?, ?)', ['a', '张三', 'é'])).toEqual([]);
    expect(await write('UPDATE users SET disabled_at = NOW(3) WHERE user_id = ?', ['张三'])).toMatchObject({
      rowsAffected: 0,
    });
    await withTransaction(async (transaction) => {
      expect(await transaction.query('SELECT * FROM channels WHERE channel = ?', ['渠道'])).toEqual([]);
    });
  });

  test('a wrong statement is still an error', async () => {
    const mixed = 'SELECT * FROM apps WHERE name COLLATE utf8mb4_bin = CONCAT(? COLLATE utf8mb4_general_ci)';
    await expect(query(mixed, ['x'])).rejects.toMatchObject({ name: 'SqlError' });
  });
});

test('a caller’s text that no identifier can be is 400 or 404, never 500', async () => {
  for (const text of ['张三', '😀', 'é'.repeat(64)]) {
    const named = encodeURIComponent(text);
    const headers = { 'idempotency-key': 'k'.repeat(16) };
    const calls = [
      stack.call(app, 'POST', '/recharge', { session, headers, body: { productId: text, provider: 'sandbox' } }),
      stack.call(app, 'POST', '/recharge', { session, headers, body: { productId: 'coins-100', provider: text } }),
      stack.call(app, 'POST', '/login', { body: { account: text, password: 'demo-password-1' } }),
      stack.call(app, 'POST', '/login/channel', { body: { channel: text, channelUserId: text } }),
      stack.call(app, 'POST', '/login/channel', { body: { channel: 'demo', channelUserId: text } }),
      stack.call(app, 'GET', `/recharge/${text}`, { session }).catch(() => ({ status: 400 })),
      stack.call(app, 'DELETE', `/sessions/${text}`, { session }).catch(() => ({ status: 400 })),
      stack.call(app, 'POST', `/plugins/${text}/token`, { session, body: {} }).catch(() => ({ status: 400 })),
      stack.send('GET', `/data/notice/${named}`, {}),
    ];
    for (const { status } of await Promise.all(calls)) expect(status).toBeLessThan(500);
  }
});
