import { request } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import { lockCounters } from '../support/lock-counters.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

describe('the queue of password hashes, filled from three addresses', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  /** A login from another source address. Every 127.x.y.z is this machine. */
  function guess(ip: string, account: string): Promise<number> {
    const body = JSON.stringify({ account, password: 'wrong one' });
    const headers = stack.sign(app, 'POST', '/login', { body });
    return new Promise((resolve, reject) => {
      const outgoing = request(`${stack.url}/login`, { method: 'POST', headers, localAddress: ip }, (incoming) => {
        incoming.resume();
        incoming.on('end', () => resolve(incoming.statusCode ?? 0));
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
  const countsOf = async (rule: string): Promise<number[]> => {
    const all = Object.entries(await lockCounters(stack.redis)).filter(([key]) => key.includes(`:${rule}:`));
    return all.map(([, counter]) => Number(counter?.split(';')[1]));
  };
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

  test('counts the logins that it refuses as calls, and none of them as a failure', async () => {
    const calls = ['127.3.0.1', '127.3.0.2', '127.3.0.3'].flatMap((ip) =>
      Array.from({ length: 40 }, (_, i) => guess(ip, `nobody-${ip}-${i}`)),
    );
    const answers = await Promise.all(calls);
    const count = (wanted: number) => answers.filter((status) => status === wanted).length;
    // A caller with few places left is refused because of the others, and the gateway's time limit may come first.
    const [guesses, locked, free, cutOff] = [count(401), count(429), count(503), count(500)];
    expect(guesses + locked + free + cutOff).toBe(120);
    // 66 places, and three addresses have 32 each: they are full.
    expect(locked).toBeGreaterThan(24);
    expect(free).toBeLessThan(locked);
    const calledBy = await countsOf('logins-by-address');
    expect(calledBy).toHaveLength(3);
    expect(sum(calledBy)).toBeGreaterThanOrEqual(guesses + locked);
    expect(sum(await countsOf('failures-by-ip'))).toBeLessThanOrEqual(guesses + cutOff);
  });
});
