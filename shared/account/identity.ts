import { createHash } from 'node:crypto';
import type { WechatPerson } from '../wechat/code-session.ts';

/**
 * The rows of `identities`: how a user is recognised, beside the account name. Their primary key decides which of two
 * parallel calls gets a subject. Everything that changes the identities of a user locks the row of the user first.
 */
export type Platform = 'wechat' | 'wechat-union' | 'channel' | 'phone';

export interface NewIdentity {
  platform: Platform;
  /** The AppID of a mini-program, the name of a channel, or ''. */
  platformApp: string;
  subject: string;
  /** Of an openid. */
  unionid?: string | null;
  /** Of a channel user. */
  address?: string;
  /** Of a phone number, for which `subject` is a keyed hash. */
  sealed?: string;
  label?: string;
}

export interface Identity extends NewIdentity {
  userId: string;
  /** RFC 3339. */
  createdAt: string;
}

export const isSame = (a: NewIdentity, b: NewIdentity): boolean =>
  a.platform === b.platform && a.platformApp === b.platformApp && a.subject === b.subject;

export const wechatIdentity = ({ wechatAppid, openid, unionid }: WechatPerson): NewIdentity => ({
  platform: 'wechat',
  platformApp: wechatAppid,
  subject: openid,
  unionid,
});

export const unionIdentity = (unionid: string): NewIdentity => ({
  platform: 'wechat-union',
  platformApp: '',
  subject: unionid,
});

/** A row by which this person is known, also at another mini-program. */
export function isOfPerson(row: NewIdentity, person: WechatPerson): boolean {
  const { unionid } = person;
  if (isSame(row, wechatIdentity(person))) return true;
  return (
    unionid !== null && (row.platform === 'wechat' ? row.unionid === unionid : isSame(row, unionIdentity(unionid)))
  );
}

export const channelIdentity = (user: { channel: string; channelUserId: string; address: string }): NewIdentity => ({
  platform: 'channel',
  platformApp: user.channel,
  subject: user.channelUserId,
  address: user.address,
});

/** The id of an identity in the API. */
export const identityId = (platform: string, platformApp: string, subject: string): string =>
  createHash('sha256').update(`${platform}\n${platformApp}\n${subject}`).digest('hex').slice(0, 24);
