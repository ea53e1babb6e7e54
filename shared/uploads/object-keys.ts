/** Where the objects of an upload are. */
interface Named {
  appId: string;
  userId: string;
  uploadId: string;
}

/** Here the user puts the object. Its signed address may be used again, so what lies here may change. */
export const newKey = ({ appId, userId, uploadId }: Named): string => `new/${appId}/${userId}/${uploadId}`;

/** Here the service copies it at its first use. Nobody has an address to write it. Records name this key. */
export const keptKey = ({ appId, userId, uploadId }: Named): string => `kept/${appId}/${userId}/${uploadId}`;

/** SQL: the same key, made from a row of `uploads`. */
export const KEPT_KEY = "CONCAT('kept/', uploads.app_id, '/', uploads.user_id, '/', uploads.upload_id)";

const KEPT = /^kept\/([\w-]{1,64})\/([\w-]{1,32})\/([\w-]{22})$/;

/** undefined: it is not the key of a kept object. */
export function parseKeptKey(key: string): Named | undefined {
  const [, appId, userId, uploadId] = KEPT.exec(key) ?? [];
  return appId && userId && uploadId ? { appId, userId, uploadId } : undefined;
}
