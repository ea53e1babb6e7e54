import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { secretMatcher } from '../http.ts';
import type { GatewayUser } from './execute.ts';
import type { TabletType } from './session.ts';

export interface Principal extends GatewayUser {
  matches(username: string, password: string): boolean;
  /** Signs this principal's sessions; made from its credentials, so that sessions outlive a restart of the gateway. */
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
      // The client sends what stands in its url still percent-encoded, and what stands in its options as it is.
      const users = readings(user).map(isUsername);
      const secrets = readings(secret).map(isPassword);
      return users.includes(true) && secrets.includes(true);
    },
  };
}

function readings(text: string): string[] {
  try {
    return [text, decodeURIComponent(text)];
  } catch {
    return [text];
  }
}

export function credentials(request: IncomingMessage): [username: string, password: string] {
  const [, encoded = ''] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  // The client's btoa() writes Latin-1.
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  return colon < 0 ? ['', ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
