import * as v from 'valibot';
import { AppError } from '../errors.ts';
import type { CallingApp } from './caller.ts';

/** A server app with the scope `data:write` names the user whose records it reads or writes. */
export const namedUser = v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/, 'expected the id of a user')));

/** Throws SCOPE_DENIED; SIGNATURE_TOO_WEAK: a v1 signature does not cover the name. */
export function checkMayName(app: CallingApp): void {
  if (!app.scopes.includes('data:write')) throw new AppError('SCOPE_DENIED');
  if (app.signsV1) throw new AppError('SIGNATURE_TOO_WEAK');
}

/** Whose records a call writes. `userId`: the user that a server app names; undefined: everybody's. */
export type Ownership = { by: 'user' } | { by: 'server'; userId: string | undefined };

/**
 * A session is the owner of its records (scope `data:own`), a server app names the user (scope `data:write`).
 * `anybody`: a server app need not name one. Throws SCOPE_DENIED, SIGNATURE_TOO_WEAK.
 */
export function ownershipOf(app: CallingApp, named: string | undefined, anybody = false): Ownership {
  if (named !== undefined || (anybody && app.scopes.includes('data:write'))) {
    checkMayName(app);
    return { by: 'server', userId: named };
  }
  if (!app.scopes.includes('data:own')) throw new AppError('SCOPE_DENIED');
  return { by: 'user' };
}
