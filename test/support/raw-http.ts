/** HTTP as bytes: sends paths and duplicate headers unchanged, which fetch does not, and returns the raw answer. */
import { connect } from 'node:net';

interface RawAnswer {
  status: number;
  head: string;
  body: string;
}

/** `lines` is the request line and the headers. `connection: close` is added and ends the answer. */
export function sendRaw(port: number, lines: string[], body = ''): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => {
      const [head = '', ...rest] = Buffer.concat(chunks).toString().split('\r\n\r\n');
      resolve({ status: Number(head.split(' ')[1]), head: head.toLowerCase(), body: rest.join('\r\n\r\n') });
    });
    socket.write(`${[...lines, 'connection: close'].join('\r\n')}\r\n\r\n${body}`);
  });
}
