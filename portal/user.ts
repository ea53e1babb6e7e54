import { setUserDisabled } from '../shared/account-change.ts';
import { recordDeed } from '../shared/audit.ts';
import { AppError } from '../shared/errors.ts';
import { type Given, type Noun, type Printed, required } from './command.ts';

const USER = required('ID', 'the userId');

async function change(given: Given, disabled: boolean): Promise<Printed> {
  const userId = given.text('user');
  await setUserDisabled(userId, disabled).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
    throw new AppError('NOT_FOUND', `There is no user ${userId}; what is asked for is the userId, not the account.`);
  });
  await recordDeed({ actor: given.actor, action: disabled ? 'user.disable' : 'user.enable', subject: userId });
  const text = disabled
    ? `User ${userId} is out with the next request, at every app, and cannot log in.`
    : `User ${userId} may log in again; sessions that ended stay ended.`;
  return { json: { userId, disabled }, text: [text] };
}

export const user: Noun = {
  about: 'who may log in',
  verbs: {
    disable: {
      about: 'Ends all sessions of a user and refuses logins.',
      options: { user: USER },
      run: (given) => change(given, true),
    },
    enable: {
      about: 'Lets a disabled user log in again.',
      options: { user: USER },
      run: (given) => change(given, false),
    },
  },
};
