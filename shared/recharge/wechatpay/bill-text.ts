import { BillRefused } from '../books/bill.ts';

/** The bytes of a bill as text. Throws BillRefused, which says what kind of file it is and how to make it readable. */
export function billText(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new BillRefused('The file is empty: download the bill again.');
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    throw new BillRefused('The file is compressed: unpack it with "gunzip" first.');
  if (isUtf16(bytes))
    throw new BillRefused('The file is in UTF-16: convert it with "iconv -f UTF-16 -t UTF-8 FILE", then compare that.');
  const text = decoded(bytes, 'utf-8');
  if (text !== null) return text;
  if (decoded(bytes, 'gb18030')?.includes('交易时间'))
    throw new BillRefused('The file is in GBK: convert it with "iconv -f GB18030 -t UTF-8 FILE", then compare that.');
  throw new BillRefused('The file is not a text in UTF-8, so it is not a trade bill.');
}

const isUtf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) ||
  (bytes[0] === 0xfe && bytes[1] === 0xff) ||
  (decoded(bytes.subarray(0, 200), 'utf-16le')?.includes('交易时间') ?? false);

/** Without the mark of its coding. null: it is in another coding. */
function decoded(bytes: Uint8Array, coding: string): string | null {
  try {
    return new TextDecoder(coding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
