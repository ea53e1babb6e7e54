/** HTTP as bytes: sends paths and duplicate headers unchanged, which fetch does not, and returns the raw answer. */
import { connect } from 'node:net';

interface RawAnswer {
  status: number;
  head: string;
  body: string;
}

/** `lines` is the request line and the headers. `connection: close` is added and ends the answer. */
export async function sendRaw(port: number, lines: string[], body = ''): Promise<RawAnswer> {
  const text = await sendBytes(port, `${[...lines, 'connection: close'].join('\r\n')}\r\n\r\n${body}`);
  const [head = '', ...rest] = text.split('\r\n\r\n');
  return { status: statusIn(head), head: head.toLowerCase(), body: rest.join('\r\n\r\n') };
}

/** Everything that the server sends until it closes. */
export function sendBytes(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks).toString()));
    socket.write(bytes);
  });
}

/** The answers of one connection. Each needs a content-length; `100 Continue` is left out. */
export function answersOf(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) throw new Error(`not an answer: ${rest.toString()}`);
    const head = rest.subarray(0, end).toString().toLowerCase();
    const bytes = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
    const body = rest.subarray(end + 4, end + 4 + bytes).toString();
    if (statusIn(head) !== 100) answers.push({ status: statusIn(head), head, body });
    rest = rest.subarray(end + 4 + bytes);
  }
  return answers;
}

const statusIn = (head: string): number => Number(head.split(' ')[1]);
