/**
 * Node's parser refuses most requests that two HTTP servers could read in different ways: two lengths, a length beside
 * chunks, folded lines, a bare LF. These are the ones that it lets through.
 */
import type { IncomingMessage } from 'node:http';

/** A name or address with an optional port. An empty value is valid (RFC 9110, 7.2). */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::\d{0,5})?$/;

/** false: the request is answered 400, and its connection is closed. */
export function isStrict(request: IncomingMessage): boolean {
  const { httpVersion, rawHeaders, headers, url = '' } = request;
  // 0.9 has no headers at all; 2.0 in a text line is no HTTP/2.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return false;
  const hosts = valuesOf(rawHeaders, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion === '1.1')) return false;
  if (hosts[0] !== undefined && !HOST.test(hosts[0])) return false;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && (httpVersion === '1.0' || coding.toLowerCase() !== 'chunked')) return false;
  // A fragment is never sent. Read by one server as a part of the path and cut off by another, it is two requests.
  return !url.includes('#');
}

/** `headers` joins or drops repeated headers. rawHeaders has each of them. */
function valuesOf(rawHeaders: string[], wanted: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === wanted);
}
