import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WECHAT_APPID } from '../../local/function-environment.ts';
import type { Fault } from '../../local/simulators/loopback-server.ts';
import { seal } from '../../shared/master-key.ts';
import { secretContext } from '../../shared/wechat/mini-program.ts';
import { lockCounters } from '../support/lock-counters.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** Secrets of mini-programs, the newer first, and those of them that WeChat accepts. */
const PROGRAMS = {
  default: { appid: WECHAT_APPID },
  exchanging: { appid: 'wx-exchanging', ours: ['new', 'old'], atWechat: 'old' },
  lost: { appid: 'wx-lost', ours: ['first', 'second'], atWechat: 'another' },
};
type ProgramName = keyof typeof PROGRAMS;

interface Row {
  when: string;
  program?: ProgramName;
  /** Errcodes of the next calls. */
  errcodes?: number[];
  fault?: Fault;
  /** Default: an unused code of the mini-program. */
  code?: 'used' | 'of another mini-program' | 'invented';
  status: number;
  answer: string;
  asked: number;
  /** A failure that the lock counts. */
  charged: 'one failure' | 'nothing';
}

const html: Fault = { kind: 'answer', status: 200, body: '<html>', headers: { 'content-type': 'text/html' } };
const unavailable = { status: 503, answer: 'UNAVAILABLE', charged: 'nothing' } as const;
const busy = { status: 503, answer: 'WECHAT_BUSY', charged: 'nothing' } as const;
const badCode = { status: 401, answer: 'BAD_CREDENTIALS', charged: 'one failure' } as const;
const good = { status: 200, answer: 'a session', charged: 'nothing' } as const;

const TABLE: Row[] = [
  { when: 'WeChat is busy (-1)', errcodes: [-1], asked: 1, ...busy },
  { when: 'WeChat gets too many calls (45011)', errcodes: [45011], asked: 1, ...busy },
  { when: 'WeChat is too slow', fault: { kind: 'hang' }, asked: 1, ...unavailable },
  { when: 'WeChat answers with HTML', fault: html, asked: 1, ...unavailable },
  { when: 'the answer is cut in the middle', fault: { kind: 'cut' }, asked: 1, ...unavailable },
  { when: 'the answer is lost', fault: { kind: 'lose-ack' }, asked: 1, ...unavailable },
  { when: 'WeChat accepts no connection', fault: { kind: 'refuse' }, asked: 1, ...unavailable },
  { when: 'WeChat does not know our AppID (40013)', errcodes: [40013], asked: 1, ...unavailable },
  { when: 'the newer secret is refused (40125)', program: 'exchanging', asked: 2, ...good },
  { when: 'the accepted secret is remembered', program: 'exchanging', asked: 1, ...good },
  { when: 'both secrets are refused (40125)', program: 'lost', asked: 2, ...unavailable },
  { when: 'the code was used before (40163)', code: 'used', asked: 1, ...badCode },
  { when: 'the code is of another mini-program (40029)', code: 'of another mini-program', asked: 1, ...badCode },
  { when: 'the code is invented (40029)', code: 'invented', asked: 1, ...badCode },
  {
    when: 'WeChat blocked the user (40226)',
    ...{ errcodes: [40226], status: 403, answer: 'WECHAT_USER_BLOCKED', asked: 1, charged: 'one failure' },
  },
  {
    when: 'WeChat limited the user (50002)',
    ...{ errcodes: [50002], status: 401, answer: 'WECHAT_USER_LIMITED', asked: 1, charged: 'one failure' },
  },
];

describe('a login by WeChat', () => {
  let stack: TestStack;
  const apps = {} as Record<ProgramName, TestApp>;

  beforeAll(async () => {
    stack = await startTestStack();
    for (const [name, program] of Object.entries(PROGRAMS)) {
      const app = await stack.createApp();
      apps[name as ProgramName] = app;
      if (!('ours' in program)) continue;
      const { appid, ours, atWechat } = program;
      stack.wechat.addProgram({ appid, secret: atWechat });
      await stack.mysql.execute(
        'INSERT INTO mini_programs (wechat_appid, sealed_secret, sealed_former_secret) VALUES (?, ?, ?)',
        [appid, ...ours.map((secret) => seal(secret, secretContext(appid)))],
      );
      await stack.mysql.execute('UPDATE apps SET wechat_appid = ? WHERE app_id = ?', [appid, app.appId]);
    }
  });
  afterEach(() => {
    stack.wechat.misbehave(null);
  });

  const logIn = (app: TestApp, code: string) => stack.call(app, 'POST', '/login/wechat', { body: { code } });

  async function codeFor({ program = 'default', code }: Row): Promise<string> {
    if (code === 'invented') return 'never-issued';
    if (code === 'of another mini-program') return stack.wechat.issueCode({ appid: PROGRAMS.lost.appid });
    const issued = stack.wechat.issueCode({ appid: PROGRAMS[program].appid });
    if (code === 'used') await logIn(apps[program], issued);
    return issued;
  }

  /** What the lock counts. The windows become longer, so that none ends before the next look. */
  async function charges(): Promise<Record<string, string | null>> {
    const counters = await lockCounters(stack.redis);
    await Promise.all(Object.keys(counters).map((key) => stack.redis.pexpire(key, 3_600_000)));
    return counters;
  }
  const failuresIn = (counters: Record<string, string | null>): number =>
    Object.entries(counters)
      .filter(([key]) => key.includes(':failures-by-app:'))
      .reduce((sum, [, counter]) => sum + Number(counter?.split(';')[1]), 0);

  test.each(TABLE)('$when: $status $answer, WeChat is asked $asked times, the lock counts $charged', async (row) => {
    const { program = 'default', errcodes = [], fault = null, status, answer, asked, charged } = row;
    const code = await codeFor(row);
    const [before, calls] = [await charges(), stack.wechat.calls()];
    stack.wechat.failNext(...errcodes);
    stack.wechat.misbehave(fault);
    const login = await logIn(apps[program], code);
    expect([login.status, login.body.code ?? 'a session']).toEqual([status, answer]);
    expect(stack.wechat.calls() - calls).toBe(asked);
    const after = await charges();
    expect(failuresIn(after) - failuresIn(before)).toBe(charged === 'nothing' ? 0 : 1);
    if (status >= 500) expect(after).toEqual(before);
  });

  test('of a known user costs 2 requests to Redis, 2 to MySQL and 1 to WeChat', async () => {
    const app = await stack.createApp();
    for (let i = 0; i < 3; i++) await logIn(app, stack.wechat.issueCode('o-known'));
    const calls = stack.wechat.calls();
    await stack.resetCounters();
    expect((await logIn(app, stack.wechat.issueCode('o-known'))).status).toBe(200);
    expect(await stack.counters()).toMatchObject({ redisRequests: 2, mysqlRequests: 2 });
    expect(stack.wechat.calls() - calls).toBe(1);
  });
});
