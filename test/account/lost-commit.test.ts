import { beforeAll, expect, test } from 'vitest';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';

let world: IdentityWorld;
beforeAll(async () => {
  // As on AWS.
  world = await startIdentityWorld({ seeded: true, env: { MYSQL_TIMEOUT_MS: '2000' } });
});

test('a COMMIT that did not reach MySQL leaves no locks behind: the repeated transaction succeeds', async () => {
  const person = world.newPerson();
  const member = await world.passwordMember();
  await world.call(member, 'GET', '/me');
  const seen: string[] = [];
  let isLost = false;
  const startedAt = Date.now();
  world.stack.faults.mysql = ({ sql = '' }) => {
    seen.push(`${Date.now() - startedAt} ${sql.replace(/\s+/g, ' ').slice(0, 50)}`);
    if (sql !== 'COMMIT' || isLost) return undefined;
    isLost = true;
    return { kind: 'drop-before' };
  };
  const answer = await world.link(member, 'wechat', { code: world.code(person) }).finally(() => {
    world.stack.faults.mysql = undefined;
  });
  const lost = seen.findIndex((text) => text.endsWith(' COMMIT'));
  expect(seen[lost + 1]).toContain('ROLLBACK');
  expect(answer.status).toBe(201);
}, 60_000);
