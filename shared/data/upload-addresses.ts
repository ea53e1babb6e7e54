import { addressOf } from '../uploads/address.ts';
import type { Resource } from './resource.ts';
import { hasUploads, uploadColumns } from './upload-columns.ts';

/** A record, or an item of a list, with addresses. Other resources pass through unchanged. `now`: Unix milliseconds. */
export function withAddresses<T extends Readonly<Record<string, unknown>>>(
  resource: Resource,
  record: T,
  now = Date.now(),
): T {
  if (!hasUploads(resource)) return record;
  const shown: Record<string, unknown> = { ...record };
  for (const { member, serve } of uploadColumns(resource)) {
    if (member in record) shown[member] = addressOf(record[member], serve, now);
  }
  return shown as T;
}
