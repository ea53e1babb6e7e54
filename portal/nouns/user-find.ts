import { type FindBy, type FoundUser, findUser, findUsersByText } from '../../shared/account/admin.ts';
import { AppError } from '../../shared/errors.ts';
import { type Given, optional, type Printed, UsageError, type Verb } from '../command.ts';
import { nameForm, phoneForm } from '../forms.ts';
import { translated } from '../language.ts';
import { fields, table } from '../table.ts';

/** Finding a user by what a user can report to support. */
const OPTIONS = {
  account: optional('NAME', 'the login name, or the address of a channel account'),
  openid: optional('ID', 'the openid of WeChat, at any mini-program'),
  user: optional('ID', 'the userId'),
  phone: optional('N', 'the phone number, such as 13812345678 or +4915112345678'),
  unionid: optional('ID', 'the unionid of WeChat'),
  text: optional('PREFIX', 'the beginning of a login name or nickname; lists at most 20 users'),
};
const NAMES = Object.keys(OPTIONS) as Array<keyof typeof OPTIONS>;

async function find(given: Given): Promise<Printed> {
  const named = NAMES.filter((name) => given.optional(name) !== undefined);
  const [by] = named;
  if (by === undefined || named.length > 1) {
    throw new UsageError('name the user by one of --account, --openid, --user, --phone, --unionid, --text');
  }
  if (by === 'text') return list(given, await findUsersByText(nameForm('text', given.text('text'))));
  const user = await findUser(by, givenValue(by, given));
  if (!user) throw new AppError('NOT_FOUND', `There is no user with this ${by === 'user' ? 'userId' : by}.`);
  return { json: { ...user }, text: show(given, user) };
}

const givenValue = (by: FindBy, given: Given): string =>
  by === 'phone' ? phoneForm('phone', given.text('phone')) : given.text(by);

function show(given: Given, user: FoundUser): string[] {
  const { userId, account, state, mergedInto, loginBy, phone, identities, platforms, createdAt } = user;
  return fields({
    userId,
    account: account ?? translated('none'),
    state: translated(state),
    ...(mergedInto !== null && { 'merged into': mergedInto }),
    'logs in by': loginBy,
    phone: phone ?? translated('none'),
    identities: `${identities}${platforms.length > 0 ? ` (${platforms.join(', ')})` : ''}`,
    created: given.display.time(createdAt),
  });
}

function list(given: Given, users: readonly FoundUser[]): Printed {
  const rows = users.map(({ userId, account, state, loginBy, phone, createdAt }) => [
    userId,
    account ?? '',
    translated(state),
    loginBy,
    phone ?? '',
    given.display.time(createdAt),
  ]);
  const text = table(['userId', 'account', 'state', 'logs in by', 'phone', 'created'], rows);
  return { json: { users }, text };
}

export const findVerb: Verb = {
  about: 'Shows the userId, and whether the user may log in.',
  options: OPTIONS,
  destructive: false,
  run: find,
};
