import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTransaction } from '../../shared/db.ts';
import { EngineError, SqlError } from '../../shared/errors.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
  await stack.mysql.query('CREATE TABLE sums (name VARCHAR(10) PRIMARY KEY, amount INT NOT NULL)');
});
beforeEach(async () => {
  stack.faults.mysql = undefined;
  await stack.mysql.query("REPLACE INTO sums VALUES ('a', 0), ('b', 0)");
});

const amounts = async (): Promise<number[]> => {
  const [rows] = await stack.mysql.query('SELECT amount FROM sums ORDER BY name');
  return (rows as Array<{ amount: number }>).map(({ amount }) => amount);
};
const add = (name: string) => `UPDATE sums SET amount = amount + 1 WHERE name = '${name}'`;

describe('a transaction of an operator', () => {
  test('is applied whole', async () => {
    await withTransaction(async (transaction) => {
      await transaction.write(add('a'));
      await transaction.write(add('b'));
    });
    expect(await amounts()).toEqual([1, 1]);
  });

  test('whose work fails leaves nothing, and the failure is told as it was', async () => {
    const failing = withTransaction(async (transaction) => {
      await transaction.write(add('a'));
      throw new RangeError('of the work');
    });
    await expect(failing).rejects.toThrow(new RangeError('of the work'));
    expect(await amounts()).toEqual([0, 0]);
  });

  test('that loses a deadlock is begun anew', async () => {
    let met: () => void = () => {};
    const bothHoldOne = new Promise<void>((resolve) => {
      met = resolve;
    });
    let begun = 0;
    const move = (first: string, second: string) =>
      withTransaction(async (transaction) => {
        await transaction.write(add(first));
        begun++;
        if (begun === 2) met();
        await bothHoldOne;
        await transaction.write(add(second));
      });
    await Promise.all([move('a', 'b'), move('b', 'a')]);
    expect(begun).toBe(3);
    expect(await amounts()).toEqual([2, 2]);
  });

  test('whose statement got no answer is surely not applied', async () => {
    stack.faults.mysql = ({ sql }) => (sql?.includes("'b'") ? { kind: 'drop-after' } : undefined);
    const failing = withTransaction(async (transaction) => {
      await transaction.write(add('a'));
      await transaction.write(add('b'));
    });
    await expect(failing).rejects.toMatchObject({ engine: 'mysql', outcome: 'not-applied' });
    stack.faults.mysql = undefined;
    expect(await amounts()).toEqual([0, 0]);
  });

  test('whose COMMIT got no answer may have been applied, and says so', async () => {
    stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' ? { kind: 'drop-after' } : undefined);
    const unknown = withTransaction((transaction) => transaction.write(add('a')));
    await expect(unknown).rejects.toBeInstanceOf(EngineError);
    await expect(unknown).rejects.toMatchObject({ outcome: 'unknown' });
    stack.faults.mysql = undefined;
    expect(await amounts()).toEqual([1, 0]);
  });

  test('with a statement that MySQL refuses names its number alone', async () => {
    const refused = withTransaction((transaction) => transaction.write("INSERT INTO sums VALUES ('a', 9)"));
    await expect(refused).rejects.toBeInstanceOf(SqlError);
    await expect(refused).rejects.toMatchObject({ errno: 1062 });
  });
});

describe('a disable that breaks off', () => {
  const change = async (app: { appId: string; privateKey: string }): Promise<number> =>
    (await stack.call(app, 'POST', '/login', { body: { account: 'nobody', password: 'wrong-password' } })).status;

  test('before its commit changes nothing: calls go on', async () => {
    const app = await stack.createApp();
    expect(await change(app)).toBe(401);
    stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' ? { kind: 'drop-before' } : undefined);
    expect(await portalHere(['app', 'disable', '--app', app.appId])).toMatchObject({ code: 1 });
    stack.faults.mysql = undefined;
    expect(await portalJson(['app', 'show', '--app', app.appId])).toMatchObject({ disabled: false });
  });

  test('on its audit row takes its mark back: calls that change something pass', async () => {
    const app = await stack.createApp();
    expect(await change(app)).toBe(401);
    stack.faults.mysql = ({ sql }) => (sql?.includes('audit_log') ? { kind: 'drop-before' } : undefined);
    expect(await portalHere(['app', 'disable', '--app', app.appId])).toMatchObject({ code: 1 });
    stack.faults.mysql = undefined;
    expect(await change(app)).toBe(401);
  });

  test('after its commit is in force, and the operator is told to look', async () => {
    const app = await stack.createApp();
    expect(await change(app)).toBe(401);
    stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' ? { kind: 'drop-after' } : undefined);
    const run = await portalHere(['app', 'disable', '--app', app.appId]);
    stack.faults.mysql = undefined;
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('is not known') });
    expect(await change(app)).toBe(403);
  });
});
