import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';
import type { TapedAnswer } from './tape.ts';

const TARGET = 'data:service';
const LONGEST_TRIES = 60;

/** Rows E1 to E5 (API lock): locks by time, by count and by both, and a lock against the guessing of passwords. */
export async function apiLocks(scene: Scene): Promise<void> {
  const { step } = scene.story;
  const { portal, caller, app } = scene;
  const read = (remark?: string) => caller.call(app, 'GET', '/data/service/1', remark ? { remark } : {});
  const clear = () => portal('lock', 'clear', '--target', TARGET);
  const set = (...more: string[]) => portal('lock', 'set', '--target', TARGET, '--by', 'app,ip', ...more);
  const readOnce = async () => {
    answers(await read('counted by a rule'), 200);
  };
  try {
    await step('E2', 'no parameters, no lock: the call is accepted', async () => {
      await clear();
      answers(await read(), 200);
    });
    await step('E1 E2 E3', 'locked by time: refused until the countdown ends, then accepted again', async () => {
      await portal('lock', 'block', '--target', TARGET, '--seconds', '2', '--app', app.appId);
      named(await read(), 'operator-block');
      await sleep(2_100);
      answers(await read('2 s later'), 200);
    });
    await step(
      'E1 E4',
      'locked by count: after the count calls are refused; other resources are not locked',
      async () => {
        await set('--limit', '3', '--window', '60');
        for (let call = 1; call <= 3; call++) answers(await read(`call ${call} of 3`), 200);
        named(await read('call 4'), 'operator-app-ip');
        answers(await caller.call(app, 'GET', '/data/notice/1'), 200);
      },
    );
    await step(
      'E5',
      'a refused call costs no request while the process remembers the lock',
      async () => {
        named(await read(), 'operator-app-ip');
      },
      { redis: 0, mysql: 0 },
    );
    await step('E1', 'the operator clears the lock', async () => {
      await clear();
      await accepted(read);
      await set('--limit', '1000', '--window', '60');
    });
    await step('E5', 'a lock rule costs an accepted call no extra request', readOnce, { redis: 1, mysql: 0 });
    await step('E1 E3 E4', 'locked by both: after the count, for a time', async () => {
      await clear();
      await set('--limit', '2', '--window', '60', '--lock', '2');
      for (let call = 1; call <= 2; call++) answers(await read(`call ${call} of 2`), 200);
      named(await read('call 3'), 'operator-app-ip');
      await sleep(2_100);
      answers(await read('2 s later'), 200);
    });
  } finally {
    await clear();
  }
  await bruteForce(scene);
}

/** A process remembers a refusal for at most five seconds. After that it sees that the lock is cleared. */
async function accepted(read: (remark: string) => Promise<TapedAnswer>): Promise<void> {
  for (let second = 0; second < 7; second++) {
    const answer = await read(`${second} s after it was cleared`);
    if (answer.status === 200) return;
    await sleep(1_000);
  }
  must(false, 'it is accepted again within five seconds');
}

async function bruteForce({ story, caller, portal, app, run }: Scene): Promise<void> {
  const account = `victim-${run}`;
  const clear = async () => {
    for (const target of ['POST /login', 'POST /accounts']) await portal('lock', 'clear', '--target', target);
  };
  try {
    await story.step(
      'E5',
      'guessing a password is locked after some tries; the right password is refused too',
      async () => {
        await caller.sdk(app).register({ account, password: `right-${run}-one` });
        const login = (password: string) => caller.call(app, 'POST', '/login', { body: { account, password } });
        let tries = 0;
        for (; tries < LONGEST_TRIES; tries++) {
          const answer = await login(`guess-${run}-${tries}`);
          if (answer.status === 429) break;
          answers(answer, 401, 'BAD_CREDENTIALS');
        }
        must(tries < LONGEST_TRIES, `it is locked within ${LONGEST_TRIES} tries`);
        answers(await login(`right-${run}-one`), 429, 'LOCKED');
      },
    );
  } finally {
    // The lock also counts by address, and all callers on this machine have the same address.
    await clear();
  }
}

function named(answer: TapedAnswer, rule: string): void {
  answers(answer, 429, 'LOCKED');
  const policy = answer.headers.get('ratelimit-policy') ?? '';
  must(answer.headers.has('retry-after') && policy.includes(`"${rule}"`), `Retry-After, and the rule ${rule} by name`);
}
