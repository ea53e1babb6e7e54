import { connect } from '@planetscale/database';
import { createConnection } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { freshDatabase } from '../support/engines.ts';
import { failureOf, gatewayOverFreshDatabase, password, username } from '../support/planetscale-gateway.ts';

test('with replica credentials, reads take the replicas in turn and writes are refused', async () => {
  const database = await freshDatabase('psdb');
  const admin = await createConnection(database.url);
  const readers = ['one', 'two'].map((name) => ({
    ...database,
    user: `r_${name}_${database.database}`.slice(0, 30),
    password: name,
  }));
  await admin.query('CREATE TABLE t (id INT)');
  for (const { user, password: secret } of readers) {
    await admin.query('CREATE USER ?@? IDENTIFIED BY ?', [user, '%', secret]);
    await admin.query(`GRANT ALL ON \`${database.database}\`.* TO ?@?`, [user, '%']);
  }
  const replicated = await startPlanetscaleGateway({
    primary: database,
    replicas: readers,
    username,
    password,
    replicaUsername: 'reader',
    replicaPassword: 'read me',
  });
  const who = 'SELECT SUBSTRING_INDEX(CURRENT_USER(), "@", 1) AS name';
  const replica = connect({ url: replicated.replicaUrl ?? '' });
  const names = [(await replica.execute(who)).rows[0], (await replica.execute(who)).rows[0]];
  expect(names.map((row) => (row as { name: string }).name).sort()).toEqual(readers.map(({ user }) => user).sort());

  expect((await failureOf(replica.execute('INSERT INTO t VALUES (1)'))).message).toBe(
    'VT09002: insert statement with a replica target',
  );
  expect((await failureOf(replica.execute('DROP TABLE t'))).message).toContain('current type: replica');
  await failureOf(replica.execute('USE @primary'));

  const main = connect({ url: replicated.url });
  await main.execute('USE @replica');
  expect(readers.map(({ user }) => user)).toContain(((await main.execute(who)).rows[0] as { name: string }).name);
  expect((await failureOf(main.execute('UPDATE t SET id = 1'))).message).toBe(
    'VT09002: update statement with a replica target',
  );
  await main.execute('USE @primary');
  expect((await main.execute('INSERT INTO t VALUES (1)')).rowsAffected).toBe(1);

  await replicated.stop();
  for (const { user } of readers) await admin.query('DROP USER ?@?', [user, '%']);
  await admin.end();
  await database.drop();
});

test('without a replica, a read that asks for one fails: no replica is healthy', async () => {
  const gateway = await gatewayOverFreshDatabase();
  const connection = connect({ url: gateway.url });
  await connection.execute('USE @replica');
  const error = await failureOf(connection.execute('SELECT 1'));
  expect(error).toMatchObject({ status: 503 });
  expect(error.message).toContain("no healthy tablet available for 'keyspace:");
  await gateway.stop();
});
