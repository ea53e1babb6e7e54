import { findUser } from '../../shared/account/admin.ts';
import { setUserDisabled } from '../../shared/account/change.ts';
import { AppError } from '../../shared/errors.ts';
import { logChange } from '../../shared/operator-log.ts';
import { type Given, type Noun, optional, type Printed, required, UsageError } from '../command.ts';
import { translated } from '../language.ts';
import { fields } from '../table.ts';

const USER = required('ID', 'the userId');

async function change(given: Given, disabled: boolean): Promise<Printed> {
  const userId = given.text('user');
  await setUserDisabled(userId, disabled).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
    throw new AppError(
      'NOT_FOUND',
      `There is no user ${userId}. --user takes the userId: "user find --account NAME" prints it.`,
    );
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

async function find(given: Given): Promise<Printed> {
  const named = (['account', 'openid', 'user'] as const).filter((name) => given.optional(name) !== undefined);
  const [by] = named;
  if (by === undefined || named.length > 1) throw new UsageError('name the user by one of --account, --openid, --user');
  const found = await findUser(by, given.text(by));
  if (!found) throw new AppError('NOT_FOUND', `There is no user with this ${by === 'user' ? 'userId' : by}.`);
  const { userId, account, state, loginBy, createdAt } = found;
  const text = fields({
    userId,
    account: account ?? translated('none'),
    state: translated(state),
    'logs in by': loginBy,
    created: given.display.time(createdAt),
  });
  return { json: { ...found }, text };
}

export const user: Noun = {
  about: 'users, and whether they may log in',
  verbs: {
    find: {
      about: 'Shows the userId, and whether the user may log in.',
      options: {
        account: optional('NAME', 'the login name, or the address of a channel account'),
        openid: optional('ID', 'the openid of WeChat'),
        user: optional('ID', 'the userId'),
      },
      destructive: false,
      run: find,
    },
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
