import { findUser } from '../../shared/account/admin.ts';
import { setUserDisabled } from '../../shared/account/change.ts';
import { AppError } from '../../shared/errors.ts';
import { logChange } from '../../shared/operator-log.ts';
import type { Given, Noun, Printed } from '../command.ts';
import { findVerb } from './user-find.ts';
import { identitiesVerb, unlinkVerb } from './user-identities.ts';
import { mergeVerb } from './user-merge.ts';
import { resetPasswordVerb } from './user-password.ts';
import { noUser, USER } from './user-words.ts';

async function change(given: Given, disabled: boolean): Promise<Printed> {
  const userId = given.text('user');
  await setUserDisabled(userId, disabled).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
    throw noUser(userId);
  });
  await logChange({ actor: given.actor, action: disabled ? 'user.disable' : 'user.enable', subject: userId });
  const text = disabled
    ? `User ${userId} is logged out at every app from the next request, and cannot log in.`
    : `User ${userId} may log in again. Sessions that ended stay ended.`;
  return { json: { userId, disabled }, text: [text] };
}

async function whatDisableEnds(given: Given): Promise<string[]> {
  const found = await findUser('user', given.text('user'));
  if (found?.state !== 'enabled') return [];
  return [
    `User ${found.userId} (${found.account ?? 'no account name'}) will be logged out at every app, and cannot log in any more.`,
  ];
}

export const user: Noun = {
  about: 'users, their identities, and whether they may log in',
  verbs: {
    find: findVerb,
    identities: identitiesVerb,
    unlink: unlinkVerb,
    merge: mergeVerb,
    'reset-password': resetPasswordVerb,
    disable: {
      about: 'Ends all sessions of a user and refuses logins.',
      options: { user: USER },
      destructive: whatDisableEnds,
      run: (given) => change(given, true),
    },
    enable: {
      about: 'Lets a disabled user log in again.',
      options: { user: USER },
      destructive: false,
      run: (given) => change(given, false),
    },
  },
};
