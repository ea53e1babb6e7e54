import { beforeEach, describe, expect, test } from 'vitest';
import { inTurn } from '../../shared/account/hash-queue.ts';
import type { AppError } from '../../shared/errors.ts';
import { runInvocation } from '../../shared/telemetry.ts';

/** Work that takes a turn and ends when the test says so. */
describe('the queue of password hashes', () => {
  let order: string[];
  let refused: string[];
  let open: Array<() => void>;
  let all: Array<Promise<unknown>>;
  beforeEach(() => {
    order = [];
    refused = [];
    open = [];
    all = [];
  });

  const caller = (address: string, account: string, name = `${address}/${account}`, leftMs = 60_000): void => {
    const work = () => {
      order.push(name);
      return new Promise<void>((resolve) => open.push(resolve));
    };
    const call = runInvocation(name, leftMs, () => inTurn({ address, account }, work));
    all.push(call.catch((error: AppError) => refused.push(`${name} ${error.code}`)));
  };
  /** Long enough for all turns of the event loop that a hash waits. */
  const tick = () => new Promise((resolve) => setTimeout(resolve, 10));
  /** Ends what runs, until nothing waits. */
  async function drain(): Promise<void> {
    let done = false;
    const ended = Promise.all(all).then(() => {
      done = true;
    });
    while (!done) {
      for (const end of open.splice(0)) end();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
  }

  test('lets another caller go before the 16 logins of one account and address', async () => {
    for (let i = 0; i < 16; i++) caller('a', 'x', `x${i}`);
    await tick();
    caller('b', 'y', 'y');
    await drain();
    expect(order.slice(0, 3)).toEqual(['x0', 'x1', 'y']);
    // Eight of one account and address; the others are refused at once.
    expect(order).toHaveLength(9);
    expect(refused).toEqual(Array.from({ length: 8 }, (_, i) => `x${i + 8} LOCKED`));
  });

  test('has eight places for one account at one address, again after they are free, and others for its other addresses', async () => {
    for (let i = 0; i < 8; i++) caller('a', 'x', `x${i}`);
    caller('b', 'x', 'x of b');
    caller('a', 'y', 'y of a');
    await drain();
    caller('a', 'x', 'x again');
    await drain();
    expect(refused).toEqual([]);
    expect(order).toHaveLength(11);
  });

  test('lets calls that wait for engines have the thread before the third hash of one caller, for a bounded time', async () => {
    let answer: () => void = () => {};
    const waits = runInvocation('other', 10_000, () => new Promise<void>((resolve) => (answer = resolve)));
    for (let i = 0; i < 4; i++) caller('a', 'x', `x${i}`);
    await tick();
    // Two hashes that take 100 ms. Then as much time is for the other call.
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const end of open.splice(0)) end();
    await tick();
    expect(order).toEqual(['x0', 'x1']);
    // A caller without turns does not wait for the other call.
    caller('b', 'y', 'y');
    await tick();
    expect(order).toEqual(['x0', 'x1', 'y']);
    for (const end of open.splice(0)) end();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(order).toEqual(['x0', 'x1', 'y', 'x2']);
    answer();
    await waits;
    await drain();
    expect(order).toHaveLength(5);
  });

  test('lets another caller go before many accounts of one address', async () => {
    for (let i = 0; i < 16; i++) caller('a', `x${i}`);
    await tick();
    caller('b', 'y', 'y');
    await drain();
    expect(order.indexOf('y')).toBe(2);
  });

  test('lets another caller go before one account from many addresses', async () => {
    for (let i = 0; i < 16; i++) caller(`a${i}`, 'x');
    await tick();
    caller('b', 'y', 'y');
    await drain();
    expect(order.indexOf('y')).toBe(2);
  });

  test('lets callers with equally many turns go in the order in which they came', async () => {
    for (const name of ['p', 'q', 'r', 's', 't']) caller(name, name, name);
    await drain();
    expect(order).toEqual(['p', 'q', 'r', 's', 't']);
  });

  test('forgets earlier turns when it was empty', async () => {
    for (let i = 0; i < 8; i++) caller('a', 'x');
    await drain();
    order = [];
    for (const name of ['m', 'n']) caller(name, name, name);
    await tick();
    caller('a', 'x', 'x again');
    caller('b', 'y', 'y');
    await drain();
    expect(order).toEqual(['m', 'n', 'x again', 'y']);
  });

  test('has 32 places for one address, so that no address fills the queue alone', async () => {
    for (let i = 0; i < 34; i++) caller('a', `x${i}`, `x${i}`);
    caller('b', 'y', 'y');
    await tick();
    expect(refused).toEqual(['x32 LOCKED', 'x33 LOCKED']);
    await drain();
    expect(order[2]).toBe('y');
    expect(order).toHaveLength(33);
  });

  test('has 48 places for one /48 of IPv6, however many /64 networks it uses', async () => {
    for (let i = 0; i < 50; i++) caller(`2001:db8:1:${i.toString(16)}::/64`, `x${i}`, `x${i}`);
    caller('2001:db8:2:1::/64', 'y', 'y');
    await tick();
    expect(refused).toEqual(['x48 LOCKED', 'x49 LOCKED']);
    await drain();
    expect(order).toHaveLength(49);
  });

  /** A login from another /64 of the same /48. */
  const fromNetwork = (i: number) => caller(`2001:db8:1:${i.toString(16)}::/64`, `x${i}`, `x${i}`);

  test('lets another caller go before many /64 networks of one /48', async () => {
    for (let i = 0; i < 40; i++) fromNetwork(i);
    await tick();
    caller('2001:db8:2:1::/64', 'y', 'y');
    caller('192.0.2.1', 'z', 'z');
    await drain();
    expect(order.slice(2, 4)).toEqual(['y', 'z']);
  });

  test('when 64 wait, refuses the last ones of a /48 with the most places, and no other caller', async () => {
    for (let i = 0; i < 48; i++) fromNetwork(i);
    for (let i = 0; i < 18; i++) caller(`c${i}`, `z${i}`, `z${i}`);
    await tick();
    expect(refused).toEqual([]);
    for (let i = 18; i < 22; i++) caller(`c${i}`, `z${i}`, `z${i}`);
    await tick();
    expect(refused).toEqual(['x47 LOCKED', 'x46 LOCKED', 'x45 LOCKED', 'x44 LOCKED']);
    await drain();
    expect(order.filter((name) => name.startsWith('z'))).toHaveLength(22);
  });

  test('when 64 wait, refuses as LOCKED those that fill it from three addresses, and lets others in', async () => {
    for (const address of ['a', 'b', 'c']) {
      for (let i = 0; i < 40; i++) caller(address, `${address}${i}`);
    }
    for (let i = 0; i < 10; i++) caller(`n${i}`, `n${i}`);
    await tick();
    // 120 calls of the three; 66 places, ten of which are for the others.
    expect(refused.filter((line) => line.endsWith('LOCKED'))).toHaveLength(64);
    expect(refused).toHaveLength(64);
    await drain();
    expect(order.filter((name) => name.startsWith('n'))).toHaveLength(10);
  });

  test('when 64 wait who send one login each, refuses the next one as UNAVAILABLE', async () => {
    for (let i = 0; i < 68; i++) caller(`c${i}`, `z${i}`, `z${i}`);
    await tick();
    expect(refused).toEqual(['z66 UNAVAILABLE', 'z67 UNAVAILABLE']);
    await drain();
  });

  test('when 64 wait, refuses the last one of the caller with the most places, and no other caller', async () => {
    for (let i = 0; i < 32; i++) caller('a', `x${i}`, `x${i}`);
    for (let i = 0; i < 34; i++) caller(`c${i}`, `z${i}`);
    await tick();
    caller('b', 'y', 'y');
    await tick();
    expect(refused).toEqual(['x31 LOCKED']);
    await drain();
    expect(order).toContain('y');
    expect(order).toHaveLength(66);
  });

  test('refuses a call whose time ends before its turn', async () => {
    for (const name of ['m', 'n']) caller(name, name, name);
    caller('b', 'y', 'y', 950);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(refused).toEqual(['y UNAVAILABLE']);
    await drain();
    expect(order).toEqual(['m', 'n']);
  });

  test('refuses as LOCKED the calls of one caller whose time ends before their turns, until few are left', async () => {
    for (const name of ['m', 'n']) caller(name, name, name);
    for (let i = 0; i < 5; i++) caller('b', 'y', `y${i}`, 950);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(refused).toEqual(['y0 LOCKED', 'y1 LOCKED', 'y2 LOCKED', 'y3 UNAVAILABLE', 'y4 UNAVAILABLE']);
    await drain();
  });
});
