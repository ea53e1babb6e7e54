// Signs a call and prints its access-token. Node 18 or later, no packages.
//   node sign.mjs v1 SHA1 APP_ID PRIVATE_KEY TIME_STAMP NONCE
//   node sign.mjs v2 APP_ID PRIVATE_KEY TIME_STAMP NONCE METHOD PATH QUERY BODY
import { createHash, createHmac } from 'node:crypto';

/** @type {(...parts: string[]) => string} */
function signV1(method, appId, privateKey, timeStamp, nonce) {
  // Buffer.compare compares bytes; localeCompare and Intl.Collator do not.
  const parts = [appId, timeStamp, nonce, privateKey].map((text) => Buffer.from(text)).sort(Buffer.compare);
  const signature = createHash(method.toLowerCase()).update(Buffer.concat(parts)).digest('hex');
  return accessToken(method, appId, timeStamp, nonce, signature);
}

/** @type {(...parts: string[]) => string} */
function signV2(appId, privateKey, timeStamp, nonce, method, path, query, body) {
  const toSign = [
    'MPC2-HMAC-SHA256',
    appId,
    timeStamp,
    nonce,
    method,
    path.split('/').map(encode).join('/'),
    canonicalQuery(query),
    createHash('sha256').update(body).digest('hex'),
  ].join('\n');
  const derived = createHmac('sha256', privateKey).update(`MPC2\n${appId}`).digest();
  const signature = createHmac('sha256', derived).update(toSign).digest('hex');
  return accessToken('HMAC-SHA256', appId, timeStamp, nonce, signature);
}

/** @type {(text: string) => string} */
function canonicalQuery(query) {
  /** @type {(a?: string, b?: string) => number} */
  const order = (a = '', b = '') => (a < b ? -1 : a > b ? 1 : 0); // encoded text is ASCII, so this compares bytes
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', ...value] = part.split('=');
      return [encode(decode(name)), encode(decode(value.join('=')))];
    })
    .sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]))
    .map((pair) => pair.join('='))
    .join('&');
}

/** @type {(text: string) => string} */
function decode(text) {
  return decodeURIComponent(text.replace(/\+/g, ' '));
}

/** @type {(text: string) => string} */
function encode(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** @type {(...parts: string[]) => string} */
function accessToken(signatureMethod, AppID, timeStamp, nonce, signature) {
  return Buffer.from(JSON.stringify({ signatureMethod, AppID, timeStamp, nonce, signature })).toString('base64');
}

const [version, ...rest] = process.argv.slice(2);
console.log(version === 'v1' ? signV1(...rest) : signV2(...rest));
