/** Reads the addresses in X-Forwarded-For and Forwarded (RFC 7239), in every form that proxies write. */
import { isIP } from 'node:net';
import { plainAddress } from './http-api/addresses.ts';

export type ForwardedHeader = 'x-forwarded-for' | 'forwarded';

/**
 * From the client to the last proxy. It begins behind the last entry that is no address (`unknown`, `_hidden`): what
 * stands before that cannot be followed.
 */
export function addressesOf(
  headers: Partial<Record<ForwardedHeader, string | string[] | undefined>>,
  only: ForwardedHeader = headers['x-forwarded-for'] === undefined ? 'forwarded' : 'x-forwarded-for',
): string[] {
  const text = String(headers[only] ?? '');
  const entries = only === 'forwarded' ? split(text, ',').map(forOf) : text.split(',');
  const addresses: string[] = [];
  for (const entry of entries.map((each) => each.trim())) {
    if (entry === '') continue;
    const address = addressIn(entry);
    if (address === undefined) addresses.length = 0;
    else addresses.push(address);
  }
  return addresses;
}

/** The node after `for=`. `unknown`: this entry has none. */
function forOf(element: string): string {
  if (element.trim() === '') return '';
  const pair = split(element, ';').find((each) => /^\s*for\s*=/i.test(each));
  return pair === undefined ? 'unknown' : pair.slice(pair.indexOf('=') + 1);
}

/** Splits outside of quoted strings. */
function split(text: string, separator: ',' | ';'): string[] {
  return text.match(separator === ',' ? /(?:"(?:\\.|[^"\\])*"?|[^",])+/g : /(?:"(?:\\.|[^"\\])*"?|[^";])+/g) ?? [];
}

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::7`, `[2001:db8::7]:80`, each of them in quotes too. */
function addressIn(entry: string): string | undefined {
  const text = /^".*"$/.test(entry) ? entry.slice(1, -1).replace(/\\(.)/g, '$1').trim() : entry;
  const inBrackets = /^\[([^\]]*)\](?::[\w.-]*)?$/.exec(text)?.[1];
  const withPort = /^(\d+\.\d+\.\d+\.\d+):[\w.-]*$/.exec(text)?.[1];
  // Nine groups: an IPv6 address with all of its eight groups, and a port.
  const long = /^((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}):\d+$/i.exec(text)?.[1];
  const address = plainAddress(inBrackets ?? withPort ?? long ?? text);
  return isIP(address) === 0 ? undefined : address;
}
