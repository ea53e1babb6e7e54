import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { displayFor } from '../../portal/display.ts';
import { translated, useLanguage } from '../../portal/language.ts';
import { nouns } from '../../portal/nouns.ts';
import { runPortal } from '../../portal/run.ts';
import { shownTexts } from '../support/shown-texts.ts';

const CHINESE = /\p{Script=Han}/u;
/** Sentences for the developer who made a mistake, and files that are no part of the portal's output. */
const OTHERS = /^portal\/(chinese.*|audit-ledger|source-place)\.ts$/;
/** The concepts whose refusals an operator reads. */
const CONCEPTS = [
  ...['shared/deployment.ts', 'shared/master-key.ts', 'shared/app/admin.ts', 'shared/app/keys.ts'],
  ...['shared/app/public-app.ts', 'shared/account/merge.ts'],
  ...['shared/wechat/admin.ts', 'shared/wechat/shown-program.ts'],
  ...['shared/plugin/admin.ts', 'shared/channel/admin.ts', 'shared/recharge/operator-refund.ts', 'db/second-look.ts'],
  ...['merchant-admin', 'merchant-choice', 'check-merchant', 'open-work'].map((name) => `shared/recharge/${name}.ts`),
  ...[
    'refund',
    'refund-cancel',
    'refund-book',
    'refund-next',
    'adjust',
    'operator-entry',
    'operator-grant',
    'money-request',
  ].map((name) => `shared/recharge/${name}.ts`),
  ...['reconcile', 'sentences', 'settled'].map((name) => `shared/recharge/books/${name}.ts`),
  'shared/recharge/wechatpay/bill.ts',
  ...['text', 'values', 'summary'].map((part) => `shared/recharge/wechatpay/bill-${part}.ts`),
];
/** What is stored, and names of members of the API. */
const STORED = ['plugin server of X1', 'the AppID', 'the userId', 'the productId'];

beforeAll(() => useLanguage('zh'));
afterAll(() => useLanguage('en'));

async function run(...argv: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await runPortal(argv, { out: (line) => lines.push(line), err: (line) => lines.push(line) });
  return { code, text: lines.join('\n') };
}

test('every sentence that an operator may read has a Chinese form', () => {
  const ofPortal = readdirSync('portal', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `portal/${name}`)
    .filter((file) => !OTHERS.test(file));
  const texts = [...ofPortal, ...CONCEPTS].flatMap((file) => shownTexts(file).map((text) => ({ file, text })));
  expect(texts.length).toBeGreaterThan(200);
  const english = texts.filter(({ text }) => !STORED.includes(text) && !CHINESE.test(translated(text)));
  expect(english.map(({ file, text }) => `${file}: ${text}`)).toEqual([]);
});

test('help is Chinese with --lang zh: each noun, verb and option', async () => {
  for (const [name, load] of Object.entries(nouns)) {
    const noun = await load();
    for (const [verbName, verb] of Object.entries(noun.verbs)) {
      const { code, text } = await run(...[name, verbName, '--help', '--lang', 'zh'].filter(Boolean));
      expect(code).toBe(0);
      expect(text, `${name} ${verbName}`).not.toContain(verb.about);
      for (const { about } of Object.values(verb.options)) {
        if (!STORED.includes(about)) expect(text, `${name} ${verbName}: ${about}`).not.toContain(about);
      }
    }
  }
});

test('a wrong command line is answered in Chinese, with the names of commands and options unchanged', async () => {
  expect(await run('app', 'creat', '--lang', 'zh')).toEqual({
    code: 2,
    text: '没有“app creat”；是不是“app create”？\n帮助：npm run -s portal -- app --help',
  });
  expect((await run('app', 'create', '--nam', 'x', '--lang', 'zh')).text).toContain('没有选项 --nam；是不是 --name？');
  expect((await run('lock', 'block', '--lang', 'zh')).text).toContain('缺少 --target T');
  expect(await run('app', 'list', '--lang', 'fr')).toMatchObject({ code: 2, text: expect.stringContaining('en, zh') });
});

test('times are printed in the zone that is asked for, and amounts in yuan without a rounding error', async () => {
  await useLanguage('en');
  const { time, money } = displayFor('Asia/Shanghai', 'yuan');
  expect(time('2026-11-27T16:05:09.123Z')).toBe('2026-11-28 00:05:09 +08:00');
  expect(displayFor('America/New_York', 'fen').time('2026-07-01T00:00:00Z')).toBe('2026-06-30 20:00:00 -04:00');
  expect([time(null), displayFor('utc', 'fen').time('2026-11-27T16:05:09.123Z')]).toEqual([
    '',
    '2026-11-27T16:05:09.123Z',
  ]);
  expect([0, 1, 10, 199, 100_000, -5, 9_007_199_254_740_991].map(money)).toEqual([
    ...['0.00 yuan', '0.01 yuan', '0.10 yuan', '1.99 yuan', '1000.00 yuan', '-0.05 yuan', '90071992547409.91 yuan'],
  ]);
  expect(() => displayFor('Mars/Olympus', 'fen')).toThrow('--time takes utc, local or a time zone');
  expect(() => displayFor('utc', 'euro')).toThrow('--money takes one of fen, yuan');
});
