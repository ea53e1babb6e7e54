import * as v from 'valibot';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { revokePluginTokens } from '../../shared/plugin/plugin.ts';
import { endSessions, isReplaced, listSessions, revokeSession } from '../../shared/session/devices.ts';

export const sessionList = endpoint({ route: 'GET /sessions', auth: 'user', scope: 'login' }, async ({ app, user }) => {
  const sessions = await listSessions(app.appId, user.userId);
  return { sessions: sessions.map((session) => ({ ...session, current: session.id === user.sessionId })) };
});

export const revokeOne = endpoint(
  {
    route: 'DELETE /sessions/{id}',
    auth: 'user',
    scope: 'login',
    success: 'no-content',
    path: v.object({ id: v.string() }),
  },
  async ({ app, path, user }) => {
    await revokeSession(app.appId, user.userId, path.id);
    await revokePluginTokens(app.appId, user.userId, [path.id]);
  },
);

export const revokeOthers = endpoint(
  { route: 'DELETE /sessions', auth: 'user', scope: 'login', success: 'no-content' },
  async ({ app, user }) => {
    const live = await listSessions(app.appId, user.userId);
    const others = live.filter(({ id }) => id !== user.sessionId).map(({ id }) => id);
    await endSessions(app.appId, user.userId, others, 'revoked');
    await revokePluginTokens(app.appId, user.userId, others);
  },
);

export const logout = endpoint(
  {
    route: 'POST /logout',
    auth: 'user',
    scope: 'login',
    success: 'no-content',
    body: v.strictObject({ all: v.optional(v.boolean(), false) }),
  },
  async ({ app, body, user }) => {
    const others = body.all ? (await listSessions(app.appId, user.userId)).map(({ id }) => id) : [];
    const ended = [...new Set([user.sessionId, ...others])];
    const count = await endSessions(app.appId, user.userId, ended, 'logout');
    await revokePluginTokens(app.appId, user.userId, ended);
    // A login took the place of this session meanwhile: the user is still logged in with the new one.
    const isLate = count < ended.length && (await isReplaced(app.appId, user.userId, user.sessionId));
    if (isLate) throw new AppError('SESSION_REVOKED');
  },
);
