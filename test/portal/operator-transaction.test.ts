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
  test('is applied completely', async () => {
    await withTransaction(async (transaction) => {
      await transaction.write(add('a'));
      await transaction.write(add('b'));
    });
    expect(await amounts()).toEqual([1, 1]);
  });

  test('changes nothing if its work fails, and reports that error unchanged', async () => {
    const failing = withTransaction(async (transaction) => {
      await transaction.write(add('a'));
      throw new RangeError('of the work');
    });
    await expect(failing).rejects.toThrow(new RangeError('of the work'));
    expect(await amounts()).toEqual([0, 0]);
  });

  test('is run again after it lost a deadlock', async () => {
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

  test('is certainly not applied if a statement got no answer', async () => {
    stack.faults.mysql = ({ sql }) => (sql?.includes("'b'") ? { kind: 'drop-after' } : undefined);
    const failing = withTransaction(async (transaction) => {
      await transaction.write(add('a'));
      await transaction.write(add('b'));
    });
    await expect(failing).rejects.toMatchObject({ engine: 'mysql', outcome: 'not-applied' });
    stack.faults.mysql = undefined;
    expect(await amounts()).toEqual([0, 0]);
  });

  test('may have been applied if COMMIT got no answer, and the error says so', async () => {
    stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' ? { kind: 'drop-after' } : undefined);
    const unknown = withTransaction((transaction) => transaction.write(add('a')));
    await expect(unknown).rejects.toBeInstanceOf(EngineError);
    await expect(unknown).rejects.toMatchObject({ outcome: 'unknown' });
    stack.faults.mysql = undefined;
    expect(await amounts()).toEqual([1, 0]);
  });

  test('reports only the error number if MySQL refuses a statement', async () => {
    const refused = withTransaction((transaction) => transaction.write("INSERT INTO sums VALUES ('a', 9)"));
    await expect(refused).rejects.toBeInstanceOf(SqlError);
    await expect(refused).rejects.toMatchObject({ errno: 1062 });
  });
});

describe('disabling an app, when an engine fails', () => {
  const change = async (app: { appId: string; privateKey: string }): Promise<number> =>
    (await stack.call(app, 'POST', '/login', { body: { account: 'nobody', password: 'wrong-password' } })).status;

  test('before the commit, changes nothing: calls still pass', async () => {
    const app = await stack.createApp();
    expect(await change(app)).toBe(401);
    stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' ? { kind: 'drop-before' } : undefined);
    expect(await portalHere(['app', 'disable', '--app', app.appId])).toMatchObject({ code: 1 });
    stack.faults.mysql = undefined;
    expect(await portalJson(['app', 'show', '--app', app.appId])).toMatchObject({ disabled: false });
  });

  test('at the row of the operator log, removes the mark again: calls that change something pass', async () => {
    const app = await stack.createApp();
    expect(await change(app)).toBe(401);
    stack.faults.mysql = ({ sql }) => (sql?.includes('audit_log') ? { kind: 'drop-before' } : undefined);
    expect(await portalHere(['app', 'disable', '--app', app.appId])).toMatchObject({ code: 1 });
    stack.faults.mysql = undefined;
    expect(await change(app)).toBe(401);
  });

  test('after the commit, is in force, and the operator is asked to check', async () => {
    const app = await stack.createApp();
    expect(await change(app)).toBe(401);
    stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' ? { kind: 'drop-after' } : undefined);
    const run = await portalHere(['app', 'disable', '--app', app.appId]);
    stack.faults.mysql = undefined;
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('is not known') });
    expect(await change(app)).toBe(403);
  });
});
