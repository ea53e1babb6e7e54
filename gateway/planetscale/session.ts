import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

/**
 * The session object holds all state: target, transaction, last insert id. The client gets it with each answer and
 * sends it with the next request. The gateway signs it, so that a client cannot name another client's transaction.
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
  /** From BEGIN, for the first statement, which opens the transaction. */
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

/**
 * The session that a client sent, or a new one when it sent none. Throws SessionSignatureError for a wrong signature.
 */
export function openSession(sent: unknown, key: Buffer, target: TabletType): VitessSession {
  if (sent === null || sent === undefined) return newSession(target);
  const { signature, vitessSession } = sent as Partial<SignedSession>;
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
