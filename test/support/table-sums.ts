import type { Connection, RowDataPacket } from 'mysql2/promise';

/** A checksum of every table. If two results are equal, nothing was changed in between. */
export async function tableSums(mysql: Connection): Promise<Record<string, string>> {
  const [tables] = await mysql.query<RowDataPacket[]>('SHOW TABLES');
  const names = tables.map((row) => `\`${Object.values(row)[0]}\``);
  const [sums] = await mysql.query<RowDataPacket[]>(`CHECKSUM TABLE ${names.join(', ')}`);
  return Object.fromEntries(sums.map((row) => [String(row.Table), String(row.Checksum)]));
}
