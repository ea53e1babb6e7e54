import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { AppError } from '../errors.ts';
import { parseSessionName, parseSessionToken, type SessionToken } from '../session/token.ts';
import { type CallingApp, type Proof, type ProvenContext, proofOf } from './caller.ts';
import type { Auth, Permission } from './declaration.ts';
import { headerOf } from './event.ts';

/**
 * A public app may call a route before a login only where the route is an entry and the operator has opened it. A
 * session does not replace that. Throws SCOPE_DENIED.
 */
export function checkEntry({ auth, open }: Permission & { auth: Auth }, proof: Proof, app: CallingApp): void {
  if (proof === 'key' || auth !== 'app') return;
  if (!open || !app.scopes.includes(open)) throw new AppError('SCOPE_DENIED');
}

/**
 * The session of the call. A token that a session signed is always that session's, and a named one is nobody's: for
 * both, `authorization` is not read, because nothing signs it. undefined: the call has none and needs none. Throws
 * LOGIN_REQUIRED, LOGIN_EXPIRED.
 */
export function sessionOf(
  event: APIGatewayProxyEventV2,
  context: ProvenContext,
  app: CallingApp,
  { auth, open, needsUser }: { auth: Auth; open?: Permission['open']; needsUser: boolean },
): SessionToken | undefined {
  const proof = proofOf(context);
  if (proof === 'session') return parseSessionName(context.session);
  if (proof === 'none') {
    const isOpen = auth === 'app' || (!needsUser && open !== undefined && app.scopes.includes(open));
    if (!isOpen) throw new AppError('LOGIN_REQUIRED');
    return undefined;
  }
  if (!needsUser) return undefined;
  const session = parseSessionToken(headerOf(event, 'authorization'), context.appId);
  if (!session) throw new AppError('LOGIN_REQUIRED');
  return session;
}
