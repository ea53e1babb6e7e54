/** Web pages (H5) that may call from a browser, comma separated. Throws RangeError with the entry that is no origin. */
export function readH5Origins(list: string): string[] {
  const entries = list.split(',').map((entry) => entry.trim());
  return entries.filter((entry) => entry !== '').map((entry) => (entry === '*' ? entry : originOf(entry)));
}

/** As browsers write it: lower case, without the default port and without a slash at its end. */
function originOf(entry: string): string {
  const url = URL.canParse(entry) ? new URL(entry) : undefined;
  // `https://*.example.com` is a valid URL, but no browser sends it. It would allow nobody.
  const isOrigin = url && !entry.includes('*') && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href;
  if (!isOrigin) throw new RangeError(entry);
  return url.origin;
}
