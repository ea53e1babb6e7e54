import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

/**
 * All state lives in the object that the client carries from call to call: target, transaction, last insert id. It is
 * signed, so that nobody can name a transaction that the gateway did not give to them.
 */

export type TabletType = 'primary' | 'replica';

export interface VitessSession {
  autocommit: true;
  targetString: string;
  options: { includedFields: 'ALL'; clientFoundRows: true };
  DDLStrategy: 'direct';
  SessionUUID: string;
  enableSystemSettings: true;
  foundRows: string;
  rowCount: string;
  lastInsertId?: string;
  inTransaction?: true;
  /** Kept from BEGIN until the first statement opens the transaction. */
  transactionAccessMode?: string;
  shardSessions?: ShardSession[];
}

interface ShardSession {
  target: { keyspace: string; shard: '-'; tabletType: 'PRIMARY' | 'REPLICA' };
  transactionId: string;
  tabletAlias: { cell: string; uid: number };
}

interface SignedSession {
  signature: string;
  vitessSession: VitessSession;
}

export class SessionSignatureError extends Error {}

function newSession(target: TabletType): VitessSession {
  return {
    autocommit: true,
    targetString: `@${target}`,
    options: { includedFields: 'ALL', clientFoundRows: true },
    DDLStrategy: 'direct',
    SessionUUID: randomUUID(),
    enableSystemSettings: true,
    foundRows: '0',
    rowCount: '-1',
  };
}

function signatureOf(session: unknown, key: Buffer): Buffer {
  return createHmac('sha256', key).update(JSON.stringify(session)).digest();
}

export function signSession(vitessSession: VitessSession, key: Buffer): SignedSession {
  return { signature: signatureOf(vitessSession, key).toString('base64'), vitessSession };
}

/** No session is a new one; one that was not issued here throws SessionSignatureError. */
export function openSession(presented: unknown, key: Buffer, target: TabletType): VitessSession {
  if (presented === null || presented === undefined) return newSession(target);
  const { signature, vitessSession } = presented as Partial<SignedSession>;
  if (typeof signature !== 'string' || typeof vitessSession !== 'object' || vitessSession === null) {
    throw new SessionSignatureError();
  }
  const expected = signatureOf(vitessSession, key);
  const given = Buffer.from(signature, 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new SessionSignatureError();
  return vitessSession;
}

export function tabletOf(session: VitessSession): TabletType {
  return session.targetString.endsWith('@replica') ? 'replica' : 'primary';
}

export function leaveTransaction(session: VitessSession): void {
  delete session.inTransaction;
  delete session.shardSessions;
  delete session.transactionAccessMode;
}
