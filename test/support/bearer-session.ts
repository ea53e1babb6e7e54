import { openSession } from '../../shared/session/open-session.ts';
import { mintSession } from '../../shared/session/token.ts';

/** Opens a session as the login of a server app does, without its credentials. */
export async function openBearerSession(appId: string, userId: string, device = 'test') {
  const { token, sessionId } = mintSession(appId, userId);
  const none = { live: [], replaces: undefined };
  await openSession(appId, { userId, version: 1 }, sessionId, { device, ip: '' }, none);
  return { token, sessionId };
}

/** A session as changes of identities want it. */
export async function ownSession(appId: string, userId: string) {
  const { sessionId } = await openBearerSession(appId, userId);
  return { appId, userId, sessionId };
}
