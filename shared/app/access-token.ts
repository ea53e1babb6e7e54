/**
 * The access_token (rows A1 to A5): base64 of a JSON text in one of three forms. Signed with a key of the app (v1 and v2),
 * it has exactly five members. Signed by a session of a public app (v3), it has six. Before a login a public app only
 * names itself, which proves nothing. Everything here is computed from the token alone; signature.ts and
 * session-signature.ts compute what it should have signed. Replay needs memory and is checked by admission.
 */
export type SignatureMethod = 'SHA1' | 'MD5' | 'HMAC-SHA256';
export const SIGNATURE_METHODS: readonly SignatureMethod[] = ['SHA1', 'MD5', 'HMAC-SHA256'];
/** In the methods of an app: the app is public. It may name itself, and its sessions sign. */
export const SESSION_METHOD = 'SESSION-HMAC-SHA256';
export type AppMethod = SignatureMethod | typeof SESSION_METHOD;

/** Stands in place of a key id for calls that no key of the app has signed. */
export const PUBLIC_SIDE = '~public';

/** A member that the form of the token does not have is ''. */
export interface AccessToken {
  signatureMethod: AppMethod | 'NAMED';
  appId: string;
  /** `<userId>.<sid>`. */
  session: string;
  /** Unix seconds, ten digits. */
  timeStamp: string;
  nonce: string;
  /** Hex in lower case, with the exact length of the method. */
  signature: string;
}

/** Stable reason codes for metrics. Callers see the same answer for every refusal. */
export type TokenRefusal =
  | 'size'
  | 'charset'
  | 'base64'
  | 'utf8'
  | 'json'
  | 'form'
  | 'ambiguous-nonce'
  | 'unknown-app'
  | 'app-disabled'
  | 'method'
  | 'window'
  | 'path'
  | 'signature';

const MAX_LENGTH = 2_048;
const WINDOW_SECONDS = 300;
const AMBIGUOUS_SECONDS = 30 * 86_400;
const MEMBERS = ['signatureMethod', 'AppID', 'timeStamp', 'nonce', 'signature'] as const;
const HEX_LENGTH: Record<SignatureMethod, number> = { SHA1: 40, MD5: 32, 'HMAC-SHA256': 64 };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Parses strictly, in this order: size, charset, canonical base64, UTF-8, flat JSON, forms. */
export function parseAccessToken(text: string): AccessToken | TokenRefusal {
  if (text.length === 0 || text.length > MAX_LENGTH) return 'size';
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? 'base64' : 'charset';
  let json: string;
  try {
    json = utf8.decode(bytes);
  } catch {
    return 'utf8';
  }
  const usual = USUAL.exec(json);
  if (usual) return checkForms(usual.slice(1));
  const known = parsePublicForm(json);
  if (known) return known;
  const values = parseFlatJson(json);
  return values ? checkForms(values) : 'json';
}

const SESSION_FORM =
  /^\{"signatureMethod":"SESSION-HMAC-SHA256","AppID":"([\w-]{1,64})","session":"([\w-]{22}\.[\w-]{22})","timeStamp":"([1-9]\d{9})","nonce":"([\w-]{16,64})","signature":"([0-9a-f]{64})"\}$/;
const NAMED_FORM = /^\{"AppID":"([\w-]{1,64})"\}$/;

/** Each form of a public app has exactly one spelling, because no former client writes another one. */
function parsePublicForm(json: string): AccessToken | undefined {
  const [, name] = NAMED_FORM.exec(json) ?? [];
  if (name) return { signatureMethod: 'NAMED', appId: name, session: '', timeStamp: '', nonce: '', signature: '' };
  const [, appId, session = '', timeStamp = '', nonce = '', signature = ''] = SESSION_FORM.exec(json) ?? [];
  return appId ? { signatureMethod: SESSION_METHOD, appId, session, timeStamp, nonce, signature } : undefined;
}

/** The usual form of the JSON text. Other forms are parsed more slowly, with the same result. */
const USUAL =
  /^\{"signatureMethod":"([A-Z0-9-]{3,11})","AppID":"([\w-]+)","timeStamp":"(\d{10})","nonce":"([\w-]+)","signature":"([0-9A-Fa-f]+)"\}$/;

const SPACE = '[ \\t\\r\\n]*';
const MEMBER = `${SPACE}"([A-Za-z]+)"${SPACE}:${SPACE}(?:"([^"\\\\\\x00-\\x1f]*)"|(\\d{1,15}))${SPACE}`;
const FIVE_MEMBERS = new RegExp(`^${SPACE}\\{${new Array(5).fill(MEMBER).join(',')}\\}${SPACE}$`);

/**
 * The values of a JSON object with exactly the five members, each once. A value is an integer, or a string without
 * escapes. A full JSON parser would accept duplicate names and use the last one.
 */
function parseFlatJson(json: string): Array<string | number> | undefined {
  const match = FIVE_MEMBERS.exec(json);
  if (!match) return undefined;
  const members = new Map<string, string | number>();
  for (let at = 1; at < match.length; at += 3) members.set(match[at] ?? '', match[at + 1] ?? Number(match[at + 2]));
  const values = MEMBERS.map((name) => members.get(name));
  return values.every((value) => value !== undefined) ? values : undefined;
}

/** The five values in the order of MEMBERS. */
function checkForms(values: Array<string | number>): AccessToken | TokenRefusal {
  const [method, appId, stamp, nonce, signature] = values;
  const signatureMethod = SIGNATURE_METHODS.find((known) => known === method);
  if (!signatureMethod || typeof appId !== 'string' || typeof nonce !== 'string' || typeof signature !== 'string') {
    return 'form';
  }
  const timeStamp = String(stamp);
  if (!/^[\w-]{1,64}$/.test(appId) || !/^[1-9]\d{9}$/.test(timeStamp)) return 'form';
  if (!/^[\w-]{16,64}$/.test(nonce)) return 'form';
  if (signature.length !== HEX_LENGTH[signatureMethod] || !/^[0-9a-fA-F]+$/.test(signature)) return 'form';
  if (isAmbiguous(nonce, Number(timeStamp))) return 'ambiguous-nonce';
  return { signatureMethod, appId, session: '', timeStamp, nonce, signature: signature.toLowerCase() };
}

/**
 * v1 joins its parts without separators: a nonce that begins or ends with a time could be read as another timeStamp.
 */
function isAmbiguous(nonce: string, timeStamp: number): boolean {
  return [nonce.slice(0, 10), nonce.slice(-10)].some(
    (digits) => /^\d{10}$/.test(digits) && Math.abs(Number(digits) - timeStamp) <= AMBIGUOUS_SECONDS,
  );
}

/** 300 s before and after the time. */
export const isInWindow = (token: AccessToken, nowSeconds: number): boolean =>
  Math.abs(Number(token.timeStamp) - nowSeconds) <= WINDOW_SECONDS;
