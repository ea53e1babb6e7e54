import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { secretMatcher } from '../http.ts';
import type { GatewayUser } from './execute.ts';
import type { TabletType } from './session.ts';

export interface Principal extends GatewayUser {
  matches(username: string, password: string): boolean;
  /** Signs the sessions of these credentials. Derived from them, so that a session stays valid after a restart. */
  sessionKey: Buffer;
}

export function principal(username: string, password: string, tablet: TabletType): Principal {
  const isUsername = secretMatcher(username);
  const isPassword = secretMatcher(password);
  return {
    username,
    tablet,
    sessionKey: createHmac('sha256', password).update(`session\n${tablet}\n${username}`).digest(),
    matches: (user, secret) => {
      // The client sends credentials from its `url` percent-encoded, and credentials from its options unencoded.
      const users = withDecoded(user).map(isUsername);
      const secrets = withDecoded(secret).map(isPassword);
      return users.includes(true) && secrets.includes(true);
    },
  };
}

function withDecoded(text: string): string[] {
  try {
    return [text, decodeURIComponent(text)];
  } catch {
    return [text];
  }
}

/** From the Basic Authorization header; two empty strings without one. */
export function credentials(request: IncomingMessage): [username: string, password: string] {
  const [, encoded = ''] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  // The client encodes with btoa(), which takes each character as one byte (Latin-1).
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  return colon < 0 ? ['', ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
