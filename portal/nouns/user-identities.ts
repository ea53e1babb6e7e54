import { listKnownIdentities, unlinkByOperator } from '../../shared/account/admin.ts';
import { whatUnlinkRemoves } from '../../shared/account/own-identities.ts';
import { AppError } from '../../shared/errors.ts';
import { type Given, type Printed, required, type Verb } from '../command.ts';
import { table } from '../table.ts';
import { noUser, USER } from './user-words.ts';

async function identities(given: Given): Promise<Printed> {
  const userId = given.text('user');
  const known = await listKnownIdentities(userId);
  if (!known) throw noUser(userId);
  const rows = known.map(({ id, platform, label, wechatAppid, subjectHash, createdAt }) => [
    id,
    platform,
    label,
    wechatAppid ?? '',
    subjectHash,
    given.display.time(createdAt),
  ]);
  const text = table(['identity', 'platform', 'label', 'mini-program', 'hash of the subject', 'created'], rows);
  return { json: { userId, identities: known }, text };
}

/** Gives the refusals of unlinking their sentences. */
async function unlinking<T>(given: Given, work: (userId: string, id: string) => Promise<T>): Promise<T> {
  const [userId, id] = [given.text('user'), given.text('identity')];
  try {
    return await work(userId, id);
  } catch (error) {
    const code = error instanceof AppError ? error.code : undefined;
    if (code === 'NOT_FOUND')
      throw new AppError('NOT_FOUND', `User ${userId} has no identity ${id}: "user identities --user ID" lists them.`);
    if (code === 'LAST_IDENTITY')
      throw new AppError('LAST_IDENTITY', `User ${userId} has no other identity to log in with: nothing was removed.`);
    throw error;
  }
}

const whatEnds = (given: Given): Promise<string[]> =>
  unlinking(given, async (userId, id) => {
    const { removed, endsSessions } = await whatUnlinkRemoves(userId, id);
    return [
      ...removed.map(({ platform, label }) => `Identity ${platform} ${label} of user ${userId} will be removed.`),
      ...(endsSessions ? ['All sessions of the user will end. A login with what was removed creates a new user.'] : []),
    ];
  });

const unlink = (given: Given): Promise<Printed> =>
  unlinking(given, async (userId, id) => {
    await unlinkByOperator(userId, id, given.actor);
    return { json: { userId, identity: id }, text: [`Identity ${id} of user ${userId} is removed.`] };
  });

export const identitiesVerb: Verb = {
  about: 'Lists the identities of a user: WeChat, phone number, channels, account name.',
  options: { user: USER },
  destructive: false,
  run: identities,
};

export const unlinkVerb: Verb = {
  about: 'Removes an identity of a user. The last one that can log in stays.',
  options: { user: USER, identity: required('ID', 'its id in "user identities"') },
  destructive: whatEnds,
  run: unlink,
};
