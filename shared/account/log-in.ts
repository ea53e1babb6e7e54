import { currentSigningKey, sessionKeyUnder } from '../app/session-key.ts';
import { ignoreEngine } from '../cache/write.ts';
import { AppError } from '../errors.ts';
import { revokePluginTokens } from '../plugin/plugin.ts';
import { type Device, endSessions } from '../session/devices.ts';
import { openSession } from '../session/open-session.ts';
import { mintSession, mintSessionName, type SessionName } from '../session/token.ts';
import { type LoginAccount, publicUser } from './account.ts';

/** The call that logs in, as endpoint() gives it. */
interface LoginCall extends Device {
  /** Of a call that no key has signed, the answer is a session with the key that signs its calls. */
  proof: 'key' | 'session' | 'none';
  /** The session that signed the call. The new session takes its place. */
  signedBy: SessionName | undefined;
}

interface Login {
  answer: object;
  /** Ends what the login has replaced, in Redis and at the plugin servers. Best effort: MySQL has it already. */
  settle(): Promise<void>;
}

/**
 * Opens a session after the credentials were checked. Throws BAD_CREDENTIALS for a disabled account; SESSION_REVOKED,
 * EngineError.
 */
export async function logIn(account: LoginAccount, appId: string, call: LoginCall): Promise<Login> {
  if (account.disabled) throw new AppError('BAD_CREDENTIALS');
  const { userId, live } = account;
  const { signedBy } = call;
  const isOwn = signedBy?.userId === userId;
  const minted = call.proof === 'key' ? mintSession(appId, userId) : mintSessionName(userId);
  const replaces = isOwn ? signedBy : undefined;
  const { expiresAt, ended, settle } = await openSession(appId, account, minted.sessionId, call, { live, replaces });
  const user = publicUser(account, account.fieldsSchema);
  return {
    answer:
      'token' in minted ? { token: minted.token, expiresAt, user } : signed(appId, minted.session, expiresAt, user),
    settle: async () => {
      const revoked = ended.length > 0 ? revokePluginTokens(appId, userId, ended) : undefined;
      const replaced = signedBy && !isOwn ? endOther(appId, signedBy) : undefined;
      await Promise.all([settle(), revoked, replaced]);
    },
  };
}

/** The key is shown only here, and stored nowhere. `serverTime`: for a device whose clock is wrong. */
const signed = (appId: string, session: string, expiresAt: string, user: object): object => ({
  session,
  key: sessionKeyUnder(currentSigningKey(), appId, session),
  expiresAt,
  serverTime: new Date().toISOString(),
  user,
});

/** The device had the session of another user. It is ended after the new one is open. */
async function endOther(appId: string, { userId, sessionId }: SessionName): Promise<void> {
  await endSessions(appId, userId, [sessionId], 'replaced').catch(ignoreEngine);
  await revokePluginTokens(appId, userId, [sessionId]);
}
