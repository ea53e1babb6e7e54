import { findUser } from '../../shared/account/admin.ts';
import { hasResetToken, makeResetToken } from '../../shared/account/password-reset.ts';
import { optionalUrl } from '../../shared/config.ts';
import { AppError } from '../../shared/errors.ts';
import type { Given, Printed, Verb } from '../command.ts';
import { fields } from '../table.ts';
import { noUser, USER } from './user-words.ts';

/** The page of the team on which a user sets a new password. */
const resetUrl = optionalUrl('RESET_URL');

async function resetPassword(given: Given): Promise<Printed> {
  const userId = given.text('user');
  const user = await findUser('user', userId);
  if (!user || user.state === 'erased' || user.state === 'merged') throw noUser(userId);
  const made = await makeResetToken(userId, given.actor).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
    throw new AppError(
      'NOT_FOUND',
      `User ${userId} has no account name and no password: the login is by ${user.loginBy}.`,
    );
  });
  const page = resetUrl();
  // In the fragment, which browsers do not send: the token is in no access log.
  const link = page && `${page.href}#${made.resetToken}`;
  const text = [
    ...fields({ 'reset token': made.resetToken, expires: given.display.time(made.expiresAt), ...(link && { link }) }),
    'It is shown only once. Everybody who has it can set the password: give it to the user alone.',
  ];
  return { json: { ...made, ...(link && { link }) }, text };
}

async function whatEnds(given: Given): Promise<string[]> {
  const userId = given.text('user');
  return (await hasResetToken(userId)) ? [`The token for user ${userId} that was made before will end.`] : [];
}

export const resetPasswordVerb: Verb = {
  about: 'Makes a token with which a user sets a new password, once and within 30 minutes.',
  options: { user: USER },
  destructive: whatEnds,
  run: resetPassword,
};
