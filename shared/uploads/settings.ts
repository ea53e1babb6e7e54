import { optionalText, optionalUrl, setTogether } from '../config.ts';

/** The object store of this deployment: S3, or a store with the same interface. */
export interface Store {
  endpoint: URL;
  bucket: string;
  region: string;
  keyId: string;
  secret: string;
}

const endpoint = optionalUrl('UPLOADS_ENDPOINT');
const bucket = optionalText('UPLOADS_BUCKET');
const region = optionalText('UPLOADS_REGION');
const keyId = optionalText('UPLOADS_KEY_ID');
const secret = optionalText('UPLOADS_SECRET');
setTogether('UPLOADS_ENDPOINT', 'UPLOADS_BUCKET', 'UPLOADS_REGION', 'UPLOADS_KEY_ID', 'UPLOADS_SECRET');

/** undefined: this deployment takes no uploads. */
export function objectStore(): Store | undefined {
  const [url, name, where, id, key] = [endpoint(), bucket(), region(), keyId(), secret()];
  if (!url || !name || !where || !id || !key) return undefined;
  return { endpoint: url, bucket: name, region: where, keyId: id, secret: key };
}

/**
 * The address of an object. If the host of the endpoint begins with the name of the bucket (virtual-hosted style, which
 * COS and OSS demand), the path is the key; otherwise the bucket is the first part of the path.
 */
export function objectUrl({ endpoint, bucket }: Store, key: string): URL {
  const url = new URL(endpoint);
  const base = url.pathname.replace(/\/$/, '');
  url.pathname = url.hostname.startsWith(`${bucket}.`) ? `${base}/${key}` : `${base}/${bucket}/${key}`;
  return url;
}
