import { writeThrough } from '../cache/write.ts';
import { query, type Transaction, withTransaction } from '../db.ts';
import { AppError, invalidInput } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { outgoingUrl } from '../outgoing-address.ts';
import { channelKey } from '../swept-keys.ts';

/** Channels as operators register them (row C1 (channel login)). */
export interface RegisteredChannel {
  channel: string;
  /** The URL that confirms tickets. */
  verifyUrl: string;
  /** The entry of the login list (row C5 (login list)). */
  loginHost: string;
  loginPort: number;
}

/** Adds the channel or changes it. `added`: the channel is new. Throws INVALID_INPUT for an address that is refused. */
export async function putChannel(channel: RegisteredChannel, actor: string): Promise<{ added: boolean }> {
  const { channel: id, verifyUrl, loginHost, loginPort } = channel;
  if (!outgoingUrl(verifyUrl)) {
    const message = 'expected an https URL of a public host, without user, password or fragment';
    throw invalidInput({ path: 'verify', message });
  }
  return changeChannel(id, async (transaction) => {
    const [known] = await transaction.query('SELECT removed_at FROM channels WHERE channel = ? FOR UPDATE', [id]);
    await transaction.write(
      `INSERT INTO channels (channel, verify_url, login_host, login_port) VALUES (?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE verify_url = VALUES(verify_url), login_host = VALUES(login_host),
         login_port = VALUES(login_port), removed_at = NULL, version = version + 1`,
      [id, verifyUrl, loginHost, loginPort],
    );
    const detail = { verifyUrl, loginHost, loginPort };
    await transaction.write(...operatorLogStatement({ actor, action: 'channel.add', subject: id, detail }));
    return { added: !known || known.removed_at !== null };
  });
}

/** The accounts are kept, but nobody can log in through this channel any more. Throws NOT_FOUND. */
export async function removeChannel(channel: string, actor: string): Promise<void> {
  await changeChannel(channel, async (transaction) => {
    const { rowsAffected } = await transaction.write(
      'UPDATE channels SET removed_at = NOW(3), version = version + 1 WHERE channel = ? AND removed_at IS NULL',
      [channel],
    );
    if (rowsAffected === 0) {
      throw new AppError('NOT_FOUND', `There is no channel ${channel}; "channel list" lists all channels.`);
    }
    await transaction.write(...operatorLogStatement({ actor, action: 'channel.remove', subject: channel }));
  });
}

const changeChannel = <T>(channel: string, work: (transaction: Transaction) => Promise<T>): Promise<T> =>
  writeThrough(
    () => withTransaction(work),
    () => [channelKey(channel)],
  );

export async function listChannels(): Promise<RegisteredChannel[]> {
  const rows = await query(
    'SELECT channel, verify_url, login_host, login_port FROM channels WHERE removed_at IS NULL ORDER BY channel',
  );
  return rows.map((row) => ({
    channel: String(row.channel),
    verifyUrl: String(row.verify_url),
    loginHost: String(row.login_host),
    loginPort: Number(row.login_port),
  }));
}
