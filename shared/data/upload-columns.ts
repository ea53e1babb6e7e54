import type { Naming } from '../uploads/lives.ts';
import type { Column, Resource } from './resource.ts';

/** Members of kind `upload`: the row and the caches hold the key of the object, an answer has its address. */
type UploadColumn = Extract<Column, { kind: 'upload' }>;

export const uploadColumns = ({ columns }: Resource): UploadColumn[] =>
  columns.filter((column): column is UploadColumn => column.kind === 'upload');

export const hasUploads = ({ columns }: Resource): boolean => columns.some(({ kind }) => kind === 'upload');

/** Where the records of the resource name kept objects. */
export const namingOf = (resource: Resource): Naming => ({
  table: resource.table,
  columns: uploadColumns(resource).map(({ column }) => column),
});

/** How an upload names the record that uses it. */
export const recordName = ({ name }: Resource, id: string): string => `${name}:${id}`;
