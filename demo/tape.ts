import { fetchTransport, type Transport } from '../client/miniapp-client.ts';

/** A request and its answer, as the demo prints them. */
export interface Exchange {
  asked: string;
  answered: string;
}

export interface TapedAnswer {
  status: number;
  headers: Headers;
  /** Parsed JSON. undefined: the body is empty, or not JSON. */
  body: unknown;
}

/** Records all requests of the demo, so that they can be printed. */
export interface Tape {
  exchanges: Exchange[];
  rewind(): void;
  note(asked: string, answered: string): void;
  send(
    method: string,
    url: string,
    headers: Record<string, string>,
    body?: string,
    remark?: string,
  ): Promise<TapedAnswer>;
  /** For the SDK. */
  transport: Transport;
}

const SHOWN_CHARACTERS = 110;
/** The values of these members are secrets. They are printed as `…`. */
const SECRET =
  /^(token|privateKey|password|oldPassword|newPassword|firstString|secondString|pluginToken|digest|pushSecret|key)$/;

export function newTape(): Tape {
  const exchanges: Exchange[] = [];
  const note = (asked: string, answered: string) => void exchanges.push({ asked, answered });

  const send: Tape['send'] = async (method, url, headers, body, remark) => {
    const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) });
    const text = await response.text();
    const answer = { status: response.status, headers: response.headers, body: parsed(text) };
    note(
      askedLine(method, url, body, remark),
      answeredLine(answer.status, answer.body, (name) => response.headers.get(name)),
    );
    return answer;
  };

  const plain = fetchTransport(fetch);
  return {
    exchanges,
    rewind: () => void exchanges.splice(0),
    note,
    send,
    transport: {
      ...plain,
      async send(call) {
        const answer = await plain.send(call);
        note(
          askedLine(call.method, call.url, call.body ?? undefined),
          answeredLine(answer.status, parsed(answer.text), answer.header),
        );
        return answer;
      },
    },
  };
}

function askedLine(method: string, url: string, body: string | undefined, remark?: string): string {
  const { pathname, search } = new URL(url);
  const json = body === undefined ? undefined : parsed(body);
  const shown = body === undefined ? '' : `  ${json === undefined ? `${body.length} bytes` : brief(json)}`;
  return `${method} ${shortened(pathname + search, 70)}${shown}${remark ? `  (${remark})` : ''}`;
}

function answeredLine(status: number, body: unknown, header: (name: string) => string | null): string {
  const { code } = (body ?? {}) as { code?: string };
  const marks = ['x-cache', 'retry-after', 'ratelimit-policy'].flatMap((name) => {
    const value = header(name);
    return value === null ? [] : [`${name}: ${value}`];
  });
  const shown = code ?? (body === undefined ? '' : brief(body));
  return [String(status), shown, ...marks].filter(Boolean).join('  ');
}

export function brief(value: unknown): string {
  const text = JSON.stringify(value, (name, member) =>
    SECRET.test(name) && typeof member === 'string' ? '…' : member,
  );
  return shortened(text ?? '', SHOWN_CHARACTERS);
}

const shortened = (text: string, limit: number): string =>
  text.length > limit ? `${text.slice(0, limit - 1)}…` : text;

/** undefined: not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
