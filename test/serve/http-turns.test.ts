import { expect, test } from 'vitest';
import { countTurns } from '../../serve/http-api/turns.ts';

test('refused callers of one network are not remembered', () => {
  const turns = countTurns({ total: 100, perAddress: 1 });
  const taken = [turns.take('2001:db8:0:1::1'), turns.take('2001:db8:0:2::1')];
  for (let net = 3; net < 1_000; net++) expect(turns.take(`2001:db8:0:${net}::1`)).toBe(429);
  expect(turns.remembered()).toBe(3);
  for (const giveBack of taken) if (typeof giveBack === 'function') giveBack();
  expect([turns.remembered(), turns.running(), turns.refused()]).toEqual([0, 0, { address: 997, full: 0 }]);
});

test('callers that are refused because all turns are taken are not remembered', () => {
  const turns = countTurns({ total: 1, perAddress: 1 });
  turns.take('10.0.0.1');
  for (let host = 2; host < 200; host++) expect(turns.take(`10.0.0.${host}`)).toBe(503);
  expect(turns.remembered()).toBe(1);
});
