import { write } from '../db.ts';

/** Deletes names of erased accounts whose time is over. Returns how many. Throws EngineError. */
export async function deleteEndedReservations(): Promise<number> {
  return (await write('DELETE FROM reserved_accounts WHERE ends_at < NOW(3) LIMIT 1000')).rowsAffected;
}

/** Tokens for forgotten passwords whose time is over. Throws EngineError. */
export async function deleteEndedResets(): Promise<number> {
  return (await write('DELETE FROM password_resets WHERE ends_at < NOW(3) LIMIT 1000')).rowsAffected;
}
