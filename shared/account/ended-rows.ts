import { write } from '../db.ts';

/** Deletes names of erased accounts whose time is over. Returns how many. Throws EngineError. */
export async function deleteEndedReservations(): Promise<number> {
  return (await write('DELETE FROM reserved_accounts WHERE ends_at < NOW(3) LIMIT 1000')).rowsAffected;
}

/** Tokens for forgotten passwords whose time is over. Throws EngineError. */
export async function deleteEndedResets(): Promise<number> {
  return (await write('DELETE FROM password_resets WHERE ends_at < NOW(3) LIMIT 1000')).rowsAffected;
}

/**
 * The rows of users whom the former release has erased a short time ago: it does not know the table. Throws EngineError.
 */
export async function deleteIdentitiesOfErased(): Promise<number> {
  const sql = `DELETE i FROM users u JOIN identities i ON i.user_id = u.user_id
    WHERE u.erased_at IS NOT NULL AND u.updated_at > NOW(3) - INTERVAL 10 MINUTE`;
  return (await write(sql)).rowsAffected;
}
