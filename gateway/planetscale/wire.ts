/**
 * Converts results of MySQL's text protocol into psdb's JSON: column types, charsets, flags. A row is a list of lengths
 * and all its values in one base64 text.
 */

/** The fields of a column definition packet that are used here, with mysql2's names. */
export interface Column {
  name: string;
  orgName: string;
  table: string;
  orgTable: string;
  schema: string;
  columnType: number;
  columnLength: number;
  characterSet: number;
  decimals: number;
  flags: number;
  /** `json` for a JSON column of MariaDB, whose column type says text. */
  extendedFormat?: string | undefined;
}

export interface WireField {
  name: string;
  /** Absent for the NULL type, whose number in the protocol is 0. */
  type?: string;
  table?: string;
  orgTable?: string;
  database?: string;
  orgName?: string;
  columnLength?: number;
  charset?: number;
  decimals?: number;
  flags?: number;
}

export interface WireRow {
  lengths: string[];
  values?: string;
}

export interface WireResult {
  fields?: WireField[];
  rows?: WireRow[];
  rowsAffected?: string;
  insertId?: string;
}

const BLOB = 0x10;
const UNSIGNED = 0x20;
const BINARY = 0x80;
const ENUM = 0x100;
const SET = 0x800;
/** Servers do not send this flag. MySQL's client library adds it, and so does Vitess. */
const NUM = 0x8000;

const BINARY_CHARSET = 63;
const UTF8MB4_CHARSET = 255;
const LONG_TEXT_LENGTH = 4_294_967_295;

const NUMERIC = new Set([0, 1, 2, 3, 4, 5, 6, 8, 9, 13, 246]);
const INTEGERS = new Map([
  [1, 'INT8'],
  [2, 'INT16'],
  [9, 'INT24'],
  [3, 'INT32'],
  [8, 'INT64'],
]);
const OTHERS = new Map([
  [0, 'DECIMAL'],
  [246, 'DECIMAL'],
  [4, 'FLOAT32'],
  [5, 'FLOAT64'],
  [7, 'TIMESTAMP'],
  [17, 'TIMESTAMP'],
  [10, 'DATE'],
  [14, 'DATE'],
  [11, 'TIME'],
  [19, 'TIME'],
  [12, 'DATETIME'],
  [18, 'DATETIME'],
  [13, 'YEAR'],
  [16, 'BIT'],
  [242, 'VECTOR'],
  [245, 'JSON'],
  [247, 'ENUM'],
  [248, 'SET'],
  [255, 'GEOMETRY'],
]);

function typeName({ columnType, flags }: Column): string | undefined {
  const integer = INTEGERS.get(columnType);
  if (integer !== undefined) return flags & UNSIGNED ? `U${integer}` : integer;
  if (columnType >= 249 && columnType <= 252) return flags & BINARY ? 'BLOB' : 'TEXT';
  if (columnType === 15 || columnType === 253) return flags & BINARY ? 'VARBINARY' : 'VARCHAR';
  if (columnType !== 254) return OTHERS.get(columnType);
  if (flags & ENUM) return 'ENUM';
  if (flags & SET) return 'SET';
  return flags & BINARY ? 'BINARY' : 'CHAR';
}

/** The column as MySQL would describe it, where MariaDB describes it differently. */
function asMysqlDescribes(column: Column): Column {
  const { columnType, flags } = column;
  if (column.extendedFormat === 'json') {
    return {
      ...plain(column),
      columnType: 245,
      characterSet: BINARY_CHARSET,
      columnLength: LONG_TEXT_LENGTH,
      decimals: 0,
      flags: flags | BLOB | BINARY,
    };
  }
  if (columnType === 7) return { ...plain(column), flags: flags & ~UNSIGNED };
  return column;
}

/** A copy of its fields. mysql2 defines the names as getters on the prototype, and a spread would not copy them. */
function plain(column: Column): Column {
  const { name, orgName, table, orgTable, schema, columnType, columnLength, characterSet, decimals, flags } = column;
  return { name, orgName, table, orgTable, schema, columnType, columnLength, characterSet, decimals, flags };
}

export function wireField(described: Column): WireField {
  const column = asMysqlDescribes(described);
  const type = typeName(column);
  const flags = NUMERIC.has(column.columnType) ? column.flags | NUM : column.flags;
  const field: WireField = { name: column.name };
  if (type !== undefined) field.type = type;
  if (column.table) field.table = column.table;
  if (column.orgTable) field.orgTable = column.orgTable;
  if (column.table && column.schema) field.database = column.schema;
  if (column.orgName) field.orgName = column.orgName;
  if (column.columnLength) field.columnLength = column.columnLength;
  field.charset = column.characterSet === BINARY_CHARSET ? BINARY_CHARSET : UTF8MB4_CHARSET;
  if (column.decimals) field.decimals = column.decimals;
  if (flags) field.flags = flags;
  return field;
}

/** `null` is SQL's NULL and has the length -1; an empty value has the length 0. */
export function wireRow(values: ReadonlyArray<Buffer | null>): WireRow {
  const row: WireRow = { lengths: values.map((value) => String(value === null ? -1 : value.length)) };
  const present = values.filter((value) => value !== null);
  const joined = present.length === 1 && present[0] ? present[0] : Buffer.concat(present);
  if (joined.length > 0) row.values = joined.toString('base64');
  return row;
}
