import type { Transaction } from '../db.ts';
import { AppError } from '../errors.ts';
import type { IdentifiedUser } from './identified-user.ts';

/** The session of a call that changes how its user logs in. */
export interface OwnSession {
  appId: string;
  userId: string;
  sessionId: string;
}

/**
 * The session ended, or an operator disabled the user, while the call was on its way. `user`: locked in the transaction
 * of `query`. Throws SESSION_REVOKED.
 */
export async function checkAlive(
  { userId, version, disabled }: IdentifiedUser,
  { appId, sessionId }: OwnSession,
  query: Transaction['query'],
): Promise<void> {
  const rows = await query(
    `SELECT 1 AS alive FROM sessions
      WHERE app_id = ? AND user_id = ? AND session_id = ? AND user_version = ? AND ended_at IS NULL`,
    [appId, userId, sessionId, version],
  );
  if (disabled || rows.length === 0) throw new AppError('SESSION_REVOKED');
}
