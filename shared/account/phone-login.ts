import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import type { WechatPerson } from '../wechat/code-session.ts';
import { findAccount, type LoginAccount } from './account.ts';
import { accountOfWechat } from './first-login.ts';
import { ownersOf } from './identity-rows.ts';
import { linkPhone } from './link.ts';
import type { Phone } from './phone.ts';

/**
 * The account of a WeChat person, who gives a phone number in the same call. A number that belongs to somebody else is
 * refused before a user is created. `exchange`: asks WeChat for the number, which costs money, so an account that cannot
 * log in does not get that far. Throws IDENTITY_TAKEN, BAD_CREDENTIALS, EngineError; what `exchange` throws.
 */
export async function accountWithPhone(
  person: WechatPerson,
  exchange: () => Promise<Phone>,
  appId: string,
): Promise<LoginAccount> {
  const known = await findAccount({ by: 'wechat', person }, appId);
  if (known?.disabled) throw new AppError('BAD_CREDENTIALS');
  const phone = await exchange();
  const [owner] = await ownersOf([phone.identity, ...phone.aliases], query);
  if (owner && owner.userId !== known?.userId) throw new AppError('IDENTITY_TAKEN');
  const { account } = await accountOfWechat(person, appId);
  if (owner) return account;
  const { label = null } = await linkPhone({ userId: account.userId, person }, phone);
  return { ...account, phone: label };
}
