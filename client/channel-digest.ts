import { hex, utf8 } from './encoding.ts';
import { hmacSha256, md5 } from './hash.ts';

export type ChannelDigestMethod = 'MD5' | 'HMAC-SHA256';

/** Proves that the client has the first string, without sending it. `timeStamp` is as in the access_token. */
export function channelDigest(
  method: ChannelDigestMethod,
  accountAddress: string,
  firstString: string,
  timeStamp: string,
): string {
  return method === 'MD5'
    ? hex(md5(utf8(accountAddress + firstString + timeStamp)))
    : hex(hmacSha256(utf8(firstString), utf8(`${accountAddress}\n${timeStamp}`)));
}
